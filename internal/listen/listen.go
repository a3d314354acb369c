// Package listen makes listeners whose addresses can be used again as soon as the
// listener is closed. It is for tests and tools that start processes at the same
// time.
//
// When a process is started, it has copies of all descriptors of its parent until
// it executes its program. An address is in use as long as any process has a
// descriptor of its listener. So the address can be in use for a moment after the
// parent has closed the listener, and longer on a busy machine. In that time,
// listening on the address fails with "address already in use".
package listen

import (
	"io"
	"net"
	"runtime"
	"syscall"
	"time"
)

// TCP listens on a TCP address.
func TCP(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return listener{l}, nil
}

type listener struct{ net.Listener }

func (l listener) Close() error {
	address := l.Addr()
	return free(l.Listener, func() (io.Closer, error) { return net.Listen("tcp", address.String()) })
}

// UDP listens on a UDP address.
func UDP(address string) (net.PacketConn, error) {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	return packetConn{c}, nil
}

type packetConn struct{ net.PacketConn }

func (c packetConn) Close() error {
	address := c.LocalAddr()
	return free(c.PacketConn, func() (io.Closer, error) { return net.ListenPacket("udp", address.String()) })
}

// atMost bounds how long Close waits for other processes that still have a copy of
// the listener's descriptor.
const atMost = 5 * time.Second

// free closes c and waits until a new listener can use c's address. To find this out,
// it calls its argument again, a function that tries to listen on the address. While
// free does so, it holds syscall.ForkLock, so that no new process inherits the new
// listener. On systems other than Linux, free closes c and does not wait, because
// package net takes this lock itself there.
func free(c io.Closer, again func() (io.Closer, error)) error {
	if runtime.GOOS != "linux" {
		return c.Close()
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := c.Close(); err != nil {
		return err
	}
	for range atMost / time.Millisecond {
		if next, err := again(); err == nil {
			return next.Close()
		}
		time.Sleep(time.Millisecond)
	}
	return nil // another process has begun to use the address, which is allowed
}
