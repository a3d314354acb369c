package main

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// sockets are the load generator's connections. One thread serves all
// connections with epoll and non-blocking calls. With a goroutine per
// connection, the generator would use twice the CPU time, on processors that it
// shares with the measured server.
type sockets struct {
	epoll  int
	fds    []int
	events []syscall.EpollEvent
}

func dialSockets(addr string, n int) (*sockets, error) {
	peer, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	s := &sockets{epoll: epoll, events: make([]syscall.EpollEvent, n)}
	for range n {
		if err := s.dial(peer); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *sockets) dial(peer netip.AddrPort) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = errors.Join(
		os.NewSyscallError("connect", syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(peer.Port()), Addr: peer.Addr().As4()})),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.SetNonblock(fd, true),
		syscall.EpollCtl(s.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(len(s.fds))}),
	)
	s.fds = append(s.fds, fd)
	return err
}

// wait waits until data arrives, but not longer than timeout. It returns the
// numbers of the sockets that have data to read. After the timeout it returns
// no numbers.
func (s *sockets) wait(timeout time.Duration, ready []int) ([]int, error) {
	n, err := syscall.EpollWait(s.epoll, s.events, int(timeout.Milliseconds())+1)
	if err != nil && err != syscall.EINTR {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	for i := range max(n, 0) {
		ready = append(ready, int(s.events[i].Fd))
	}
	return ready, nil
}

// write sends all of b with one system call. A request is far smaller than a
// socket's buffer, so it always fits into the buffer.
func (s *sockets) write(i int, b []byte) error {
	n, err := syscall.Write(s.fds[i], b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return os.NewSyscallError("write", err)
}

// read reads the bytes that have arrived. It returns io.EOF if the peer has
// closed the connection.
func (s *sockets) read(i int, b []byte) (int, error) {
	n, err := syscall.Read(s.fds[i], b)
	if err != nil {
		return 0, os.NewSyscallError("read", err)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
