//go:build !unix

package service

import "syscall"

// smallBuffers does nothing on this system.
func smallBuffers(syscall.RawConn) error { return nil }
