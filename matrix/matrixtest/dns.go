package matrixtest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"

	"matrixrtc-auth/internal/dnstest"
)

// SRV is one SRV record.
type SRV struct {
	Target           string // the host name, without a dot at the end
	Port             uint16
	Priority, Weight uint16
}

// dns is a name server that answers SRV queries over stream connections.
type dns struct {
	mu      sync.Mutex
	records map[string][]SRV
	broken  map[string]bool
	asked   map[string]int
}

// SetSRV sets the records of a name such as "_matrix-fed._tcp.example.org".
func (n *Network) SetSRV(name string, records ...SRV) {
	n.dns.mu.Lock()
	defer n.dns.mu.Unlock()
	if n.dns.records == nil {
		n.dns.records = make(map[string][]SRV)
	}
	n.dns.records[name] = records
}

// BreakSRV makes the name server answer SERVFAIL for name.
func (n *Network) BreakSRV(name string) {
	n.dns.mu.Lock()
	defer n.dns.mu.Unlock()
	if n.dns.broken == nil {
		n.dns.broken = make(map[string]bool)
	}
	n.dns.broken[name] = true
}

// AskedSRV returns how many queries for name the name server got.
func (n *Network) AskedSRV(name string) int {
	n.dns.mu.Lock()
	defer n.dns.mu.Unlock()
	return n.dns.asked[name]
}

// serve answers the queries of one connection. The length of each message comes
// before the message (RFC 1035, 4.2.2).
func (d *dns) serve(c net.Conn) {
	defer c.Close()
	for {
		var size uint16
		if binary.Read(c, binary.BigEndian, &size) != nil {
			return
		}
		question := make([]byte, size)
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		answer, err := dnstest.Answer(question, d.find)
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// find returns the SRV records of the name for which question asks. It ignores
// the type of the question.
func (d *dns) find(question dnsmessage.Question) ([]dnsmessage.ResourceBody, dnsmessage.RCode, bool) {
	records, result := d.lookup(strings.TrimSuffix(question.Name.String(), "."))
	var bodies []dnsmessage.ResourceBody
	for _, r := range records {
		bodies = append(bodies, &dnsmessage.SRVResource{
			Target:   dnsmessage.MustNewName(strings.TrimSuffix(r.Target, ".") + "."),
			Port:     r.Port,
			Priority: r.Priority,
			Weight:   r.Weight,
		})
	}
	return bodies, result, true
}

func (d *dns) lookup(name string) ([]SRV, dnsmessage.RCode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == nil {
		d.asked = make(map[string]int)
	}
	d.asked[name]++
	switch {
	case d.broken[name]:
		return nil, dnsmessage.RCodeServerFailure
	case len(d.records[name]) == 0:
		return nil, dnsmessage.RCodeNameError
	}
	return d.records[name], dnsmessage.RCodeSuccess
}

// This init uses Go's resolver once, outside of every synctest bubble. On its
// first use, the resolver makes channels. If it made them in one bubble, the
// other bubbles could not use them.
func init() {
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	r := &net.Resolver{PreferGo: true, Dial: refuse}
	_, _, _ = r.LookupSRV(context.Background(), "matrix", "tcp", "resolver.invalid")
	_, _ = r.LookupHost(context.Background(), "resolver.invalid")
}
