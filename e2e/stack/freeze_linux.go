package stack

import (
	"errors"

	"golang.org/x/sys/unix"
)

// awaitStopped returns once every thread of a child has stopped, or it has ended.
func awaitStopped(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED, nil), unix.EINTR) {
	}
}
