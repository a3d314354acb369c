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

// UDPRelay passes datagrams between clients at 127.0.0.2 and an SFU at the same
// port of 127.0.0.1.
type UDPRelay struct {
	Port int

	conn *net.UDPConn
	open sync.WaitGroup

	mu    sync.Mutex
	flows map[netip.AddrPort]*net.UDPConn // by client, to the SFU
	// allowed, when it is not nil, has the clients whose network is not cut.
	allowed map[netip.AddrPort]bool
	stopped bool
}

// Start listens.
func (r *UDPRelay) Start() error {
	var err error
	r.flows = map[netip.AddrPort]*net.UDPConn{}
	r.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: r.Port})
	if err != nil {
		return fmt.Errorf("media relay: %w", err)
	}
	r.open.Go(r.forward)
	return nil
}

// Clients are the addresses from which something has come.
func (r *UDPRelay) Clients() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.flows))
}

// Cut drops what these clients send and get, and all that new clients send: one
// whose network is down tries other ports.
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

// Stop ends the relay. It takes the datagram with it that is in hand: a flow
// that began now would be closed by nobody.
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
			flow.Write(buffer[:n]) // a datagram may be lost
		}
	}
}

// flow returns the client's socket to the SFU, nil while its network is cut and
// when the relay has stopped.
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
		// Any other error tells that nobody was there a moment ago.
		if err == nil && r.flow(client) != nil {
			r.conn.WriteToUDPAddrPort(buffer[:n], client)
		}
	}
}
