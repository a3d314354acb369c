//go:build !linux

package instruments

import (
	"errors"
	"syscall"
)

// smallSegments is not supported on this system.
func smallSegments(string, string, syscall.RawConn) error { return errors.ErrUnsupported }
