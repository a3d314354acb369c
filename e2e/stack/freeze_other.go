//go:build unix && !linux

package stack

// awaitStopped does nothing, because this system does not say when all threads
// have stopped.
func awaitStopped(int) {}
