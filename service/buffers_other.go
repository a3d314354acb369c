//go:build !unix

package service

import "syscall"

// smallBuffers leaves them as they are.
func smallBuffers(syscall.RawConn) error { return nil }
