//go:build unix

package service

import (
	"errors"
	"syscall"
)

// socketBuffer bounds the kernel's buffer for a connection in each direction,
// in bytes. It has room for a usual request and its answer. By default the
// kernel buffers up to 4 MB from a client and up to 6 MB to a client. All of
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
