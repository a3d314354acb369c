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

// UDPRelay forwards datagrams between clients and an SFU. Clients send to 127.0.0.2,
// and the SFU listens at the same port of 127.0.0.1.
type UDPRelay struct {
	Port int

	conn *net.UDPConn
	open sync.WaitGroup

	mu    sync.Mutex
	flows map[netip.AddrPort]*net.UDPConn // the sockets to the SFU, by the address of the client
	// allowed holds the clients whose datagrams the relay still forwards between Cut
	// and Restore. At other times it is nil, and the relay forwards all datagrams.
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

// Clients returns the addresses of the clients that have sent datagrams.
func (r *UDPRelay) Clients() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.flows))
}

// Cut drops all datagrams from and to these clients until Restore. It also drops the
// datagrams of new clients, because a client without a network tries other ports.
func (r *UDPRelay) Cut(clients []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed = map[netip.AddrPort]bool{}
	for client := range r.flows {
		r.allowed[client] = !slices.Contains(clients, client)
	}
}

// Restore ends the cut, so that all datagrams arrive again.
func (r *UDPRelay) Restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed = nil
}

// Stop ends the relay. The relay drops datagrams that arrive during Stop. Otherwise a
// datagram of a new client would make it open a socket that nothing closes.
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
			flow.Write(buffer[:n]) // UDP may lose datagrams, so errors do not matter
		}
	}
}

// flow returns the socket through which the relay sends the client's datagrams to the
// SFU. If there is none, flow opens one. During a cut of this client, and after Stop,
// it returns nil.
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
		// an error of an open socket only says that no program listened at the port a
		// moment ago
		if err == nil && r.flow(client) != nil {
			r.conn.WriteToUDPAddrPort(buffer[:n], client)
		}
	}
}
