package stack

import (
	"errors"

	"golang.org/x/sys/unix"
)

// awaitStopped waits until all threads of a child process have stopped, or the process
// has ended.
func awaitStopped(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED, nil), unix.EINTR) {
	}
}
