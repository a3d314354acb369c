//go:build unix

package service

import (
	"math"
	"syscall"
)

// openFiles returns how many files this process may have open. Go raises the
// soft limit to the hard limit when the process starts.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}
