package stack

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// UDPRelay forwards datagrams between clients at 127.0.0.2 and an SFU at the
// same port of 127.0.0.1.
type UDPRelay struct {
	Port int

	conn *net.UDPConn
	open sync.WaitGroup

	mu    sync.Mutex
	flows map[netip.AddrPort]*net.UDPConn // the sockets to the SFU, by the client's address
	// allowed, if not nil, are the clients whose network is not cut.
	allowed map[netip.AddrPort]bool
	stopped bool
}

// Start makes the relay listen.
func (r *UDPRelay) Start() error {
	var err error
	r.flows = map[netip.AddrPort]*net.UDPConn{}
	r.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: r.Port})
	if err != nil {
		return fmt.Errorf("the media relay cannot listen: %w", err)
	}
	r.open.Go(r.forward)
	return nil
}

// Clients returns the addresses from which datagrams have come.
func (r *UDPRelay) Clients() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.flows))
}

// Cut drops the datagrams from and to these clients, and those of all new
// clients, because a client whose network is down tries other ports.
func (r *UDPRelay) Cut(clients []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed = map[netip.AddrPort]bool{}
	for client := range r.flows {
		r.allowed[client] = !slices.Contains(clients, client)
	}
}

// Restore ends Cut.
func (r *UDPRelay) Restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed = nil
}

// Stop ends the relay. It drops a datagram that is just being forwarded,
// because nobody would close a flow that began now.
func (r *UDPRelay) Stop() {
	r.conn.Close()
	r.closeFlows()
	r.open.Wait()
}

func (r *UDPRelay) closeFlows() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for _, flow := range r.flows {
		flow.Close()
	}
}

func (r *UDPRelay) forward() {
	buffer := make([]byte, 64<<10)
	for {
		n, client, err := r.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		if flow := r.flow(client); flow != nil {
			flow.Write(buffer[:n]) // datagrams may get lost, so errors do not matter
		}
	}
}

// flow returns the client's socket to the SFU. It returns nil while the
// client's network is cut, and after Stop.
func (r *UDPRelay) flow(client netip.AddrPort) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || r.allowed != nil && !r.allowed[client] {
		return nil
	}
	if flow := r.flows[client]; flow != nil {
		return flow
	}
	flow, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: r.Port})
	if err != nil {
		return nil
	}
	r.flows[client] = flow
	r.open.Go(func() { r.back(client, flow) })
	return flow
}

func (r *UDPRelay) back(client netip.AddrPort, flow *net.UDPConn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := flow.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Any other error says that no program was listening a moment ago.
		if err == nil && r.flow(client) != nil {
			r.conn.WriteToUDPAddrPort(buffer[:n], client)
		}
	}
}
