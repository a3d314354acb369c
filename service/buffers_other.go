//go:build !unix

package service

import "syscall"

// smallBuffers does nothing.
func smallBuffers(syscall.RawConn) error { return nil }
