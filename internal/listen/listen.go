// Package listen has listeners whose address is free once they are closed, for
// tests and tools that start processes beside them.
//
// A process that starts has all descriptors of the one that started it until it
// becomes its program, and an address stays taken as long as anybody has its
// listener. That is a moment, and on a busy machine a long one: who listens
// there next, in this process or in a new one, gets "address already in use".
package listen

import (
	"io"
	"net"
	"runtime"
	"syscall"
	"time"
)

// TCP listens at a TCP address.
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

// UDP listens at a UDP address.
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

// atMost is how long Close waits for processes that start.
const atMost = 5 * time.Second

// free closes c and returns once its address can be had again. No process of
// this one starts meanwhile, so nobody gets what again opens. Elsewhere than on
// Linux, net takes ForkLock itself, which nobody can take twice.
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
	return nil // somebody else has it, which is their right
}
