package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"matrixrtc-auth/internal/listen"
)

// The ports of stacks are below those that Linux uses for outgoing connections
// (from 32768), so that no connection takes a port between the check that it
// is free and its use.
const (
	firstPort = 20000
	endPort   = 32000
	blockSize = 100
)

// lockDir is the directory of the lock files. It is the same for all users of
// this machine, so it does not depend on TMPDIR.
const lockDir = "/tmp"

// portBlock is a block of blockSize adjacent ports that only this process
// uses, because it holds the lock of the block's file. If the process dies,
// the system releases the lock.
type portBlock struct {
	next, end int
	lock      *os.File
}

// lockPortBlock locks the first block that no other process has locked.
func lockPortBlock() (*portBlock, error) {
	for first := firstPort; first < endPort; first += blockSize {
		name := fmt.Sprintf("matrixrtc-auth-ports-%d.lock", first)
		if lock, ok := lockFile(filepath.Join(lockDir, name)); ok {
			return &portBlock{next: first, end: first + blockSize, lock: lock}, nil
		}
	}
	return nil, fmt.Errorf("all ports from %d to %d are taken by other runs", firstPort, endPort-1)
}

// lockFile creates and locks the file at path. The process that releases a
// lock removes the file, so a lock counts only if the path still leads to the
// locked file.
func lockFile(path string) (*os.File, bool) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && leadsTo(path, f) {
		return f, true
	}
	f.Close()
	return nil, false
}

func leadsTo(path string, f *os.File) bool {
	locked, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(locked, there)
}

func (b *portBlock) release() {
	os.Remove(b.lock.Name())
	b.lock.Close()
}

// take returns the first of n adjacent ports of the block that no program uses
// now.
func (b *portBlock) take(n int) (int, bool) {
	first := b.next
	for port := first; port < first+n; port++ {
		if port >= b.end {
			return 0, false
		}
		if bindable(loopback(port)) != nil {
			first = port + 1
		}
	}
	b.next = first + n
	return first, true
}

// awaitFree waits until all addresses are free.
func awaitFree(ctx context.Context, addresses []string) error {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for _, address := range addresses {
		for err := bindable(address); err != nil; err = bindable(address) {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return fmt.Errorf("the address %s did not become free (%w): %w", address, err, context.Cause(ctx))
			}
		}
	}
	return nil
}

// bindable returns the error with which the address cannot be bound for TCP or
// for UDP; nil if it can.
func bindable(address string) error {
	listener, err := listen.TCP(address)
	if err != nil {
		return err
	}
	defer listener.Close()
	conn, err := listen.UDP(address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// everywhere returns the address that means the port on all interfaces of this
// machine.
func everywhere(port int) string { return fmt.Sprintf(":%d", port) }
