//go:build !linux

package main

import (
	"errors"
	"time"
)

// sockets exist only on Linux, because the benchmark needs epoll and /proc.
type sockets struct{}

var errNotLinux = errors.New("the benchmark needs epoll and /proc: run it on Linux")

func dialSockets(string, int) (*sockets, error)           { return nil, errNotLinux }
func (*sockets) wait(time.Duration, []int) ([]int, error) { return nil, errNotLinux }
func (*sockets) write(int, []byte) error                  { return errNotLinux }
func (*sockets) read(int, []byte) (int, error)            { return 0, errNotLinux }
