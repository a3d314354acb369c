//go:build !unix

package main

import "syscall"

// smallBuffers leaves them as they are.
func smallBuffers(syscall.RawConn) error { return nil }
