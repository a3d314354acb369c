// Package stack runs the real parts of a MatrixRTC deployment as processes of this
// machine. Every part is a type with the methods Start, Stop and Log; Start returns
// when the part answers. All parts listen on loopback. No part outlives the program
// that started it. The package needs a Unix system.
package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Host is a stack's share of this machine: a directory for files and logs, and loopback
// ports that no other Host uses.
type Host struct {
	// Dir is the directory. The caller must remove it at the end.
	Dir string

	mu     sync.Mutex
	blocks []*portBlock
}

// NewHost returns a Host that keeps its files in dir.
func NewHost(dir string) *Host { return &Host{Dir: dir} }

// Close releases the ports. The caller must first stop all programs that use them.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.blocks {
		b.release()
	}
	h.blocks = nil
}

// Address reserves an address, and returns it. The address is 127.0.0.1 with a port
// that no other part of the stack has.
func (h *Host) Address() (string, error) {
	port, err := h.ports(1)
	return loopback(port), err
}

// HTTPS returns a loopback address with port 443 that no other Host uses.
// Doctor needs such an address, because it connects to port 443, as clients do,
// and its option --resolve does not change the port. To listen at this address,
// this process must be root, or the system must allow port 443 to all users.
func (h *Host) HTTPS() (string, error) {
	port, err := h.ports(1)
	return fmt.Sprintf("127.1.%d.%d:443", port>>8, port&255), err
}

// WriteFile writes a file into the Host's directory, and returns its path. Only the
// user of this process can read the file.
func (h *Host) WriteFile(name string, content []byte) (string, error) {
	path := filepath.Join(h.Dir, name)
	return path, os.WriteFile(path, content, 0o600)
}

// ports reserves n adjacent ports, and returns the lowest.
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

// portsOfNewBlock locks blocks of ports until a block has n adjacent free ports, and
// returns the lowest of these.
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
