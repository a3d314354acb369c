//go:build unix && !linux

package stack

// awaitStopped does nothing. This system does not tell when all threads have stopped.
func awaitStopped(int) {}
