//go:build unix

package service

import (
	"errors"
	"syscall"
)

// socketBuffer is the size in bytes of the kernel's buffers for a connection:
// one for each direction. A usual request or answer fits into it. By default,
// the kernel buffers up to 4 MB from a client and up to 6 MB to a client. All
// these buffers count toward the memory of a container.
const socketBuffer = 16 << 10

// smallBuffers sets the buffers of a listening socket to socketBuffer. The
// connections that the socket accepts get buffers of the same size.
func smallBuffers(c syscall.RawConn) error {
	var failure error
	err := c.Control(func(fd uintptr) {
		failure = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, socketBuffer),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, socketBuffer))
	})
	return errors.Join(err, failure)
}
