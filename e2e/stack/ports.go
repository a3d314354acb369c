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

// firstPort and endPort are the limits of the ports that stacks use. Linux uses higher
// ports for outgoing connections (from 32768). So no outgoing connection can take a
// port that a stack has found free.
const (
	firstPort = 20000
	endPort   = 32000
	blockSize = 100
)

// lockDir is the directory of the lock files. All users of this machine must use the
// same directory, so it does not depend on TMPDIR.
const lockDir = "/tmp"

// portBlock is a block of blockSize adjacent ports that only this process uses. The
// process holds a lock on the block's file. If the process dies, the system releases
// the lock.
type portBlock struct {
	next, end int
	lock      *os.File
}

// lockPortBlock locks the first block of ports that no other process has locked.
func lockPortBlock() (*portBlock, error) {
	for first := firstPort; first < endPort; first += blockSize {
		name := fmt.Sprintf("matrixrtc-auth-ports-%d.lock", first)
		if lock, ok := lockFile(filepath.Join(lockDir, name)); ok {
			return &portBlock{next: first, end: first + blockSize, lock: lock}, nil
		}
	}
	return nil, fmt.Errorf("all ports from %d to %d are taken by other runs", firstPort, endPort-1)
}

// lockFile creates the file at path and locks it. The process that had the lock before
// may have removed the file in between. So lockFile fails if the file that it has locked
// is no longer at path.
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

// take returns the first of n adjacent ports that no program uses now. If the block
// does not have so many, it returns false.
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

// awaitFree waits until programs can listen at all these addresses.
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

// bindable returns nil if both TCP and UDP can use the address. Otherwise it returns
// the error.
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

// everywhere returns the address that stands for the port on all network interfaces of
// this machine.
func everywhere(port int) string { return fmt.Sprintf(":%d", port) }
