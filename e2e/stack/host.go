// Package stack runs the real parts of a MatrixRTC deployment as processes of
// this machine. Every part is a type with Start, which returns when the part
// answers, Stop, and a Log. Everything binds to loopback, and no process
// outlives the program that started it. It needs a Unix.
package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Host is the corner of this machine that a stack lives in: a directory for
// files and logs, and loopback ports that no other Host uses.
type Host struct {
	// Dir is the caller's, who removes it.
	Dir string

	mu     sync.Mutex
	blocks []*portBlock
}

// NewHost returns a Host that keeps its files in dir.
func NewHost(dir string) *Host { return &Host{Dir: dir} }

// Close gives the ports back. The parts have been stopped by then.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.blocks {
		b.release()
	}
	h.blocks = nil
}

// Address returns a free address, 127.0.0.1 with a port of its own.
func (h *Host) Address() (string, error) {
	port, err := h.ports(1)
	return loopback(port), err
}

// HTTPS returns an address of loopback whose port 443 no other Host has: doctor
// asks where clients do, and a --resolve changes no port. Binding it takes root,
// or a system that lets everybody.
func (h *Host) HTTPS() (string, error) {
	port, err := h.ports(1)
	return fmt.Sprintf("127.1.%d.%d:443", port>>8, port&255), err
}

// WriteFile keeps a file in the host's directory and returns its path. Only
// this user can read it.
func (h *Host) WriteFile(name string, content []byte) (string, error) {
	path := filepath.Join(h.Dir, name)
	return path, os.WriteFile(path, content, 0o600)
}

// ports returns the first of n adjacent ports.
func (h *Host) ports(n int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.blocks) > 0 {
		if first, ok := h.blocks[len(h.blocks)-1].take(n); ok {
			return first, nil
		}
	}
	return h.portsOfNewBlock(n)
}

// portsOfNewBlock locks blocks until one has n adjacent free ports.
func (h *Host) portsOfNewBlock(n int) (int, error) {
	for {
		b, err := lockPortBlock()
		if err != nil {
			return 0, err
		}
		h.blocks = append(h.blocks, b)
		if first, ok := b.take(n); ok {
			return first, nil
		}
	}
}
