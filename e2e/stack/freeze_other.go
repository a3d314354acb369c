//go:build unix && !linux

package stack

// awaitStopped does nothing: here nobody is told when all threads have stopped.
func awaitStopped(int) {}
