//go:build unix

package service

import (
	"errors"
	"syscall"
)

// socketBuffer bounds what the kernel keeps of a connection in each direction, in
// bytes: a request as clients send it, and its answer. Left alone, the kernel
// takes up to 4 MB of what a client sends and up to 6 MB of what it does not
// read, and all of it counts for a container's memory.
const socketBuffer = 16 << 10

// smallBuffers sets them on a listener, from which its connections have them.
func smallBuffers(c syscall.RawConn) error {
	var failure error
	err := c.Control(func(fd uintptr) {
		failure = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, socketBuffer),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, socketBuffer))
	})
	return errors.Join(err, failure)
}
