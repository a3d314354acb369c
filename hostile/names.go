//go:build linux

package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"matrixrtc-auth/internal/dnstest"
)

// domain is the DNS domain of all strangers' servers.
const domain = "hostile.test"

// nameOf returns the n-th name for servers that play a trick, such as
// "junk-17.hostile.test". If the trick is [unknown], the name is very long.
func nameOf(trick string, n int) string {
	name := fmt.Sprintf("%s-%d.%s", trick, n, domain)
	if trick == unknown {
		name = strings.Repeat(strings.Repeat("x", 40)+".", 4) + name
	}
	return name
}

// unknown is the trick of servers whose names do not exist in DNS.
const unknown = "unknown"

// trickOf returns the trick and the number in a name that [nameOf] has made.
// For every other name, such as the name of an SRV record, ok is false.
func trickOf(name string) (trick string, n int, ok bool) {
	label, found := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(name), "."), "."+domain)
	label = label[strings.LastIndexByte(label, '.')+1:]
	trick, number, isOurs := strings.Cut(label, "-")
	n, err := strconv.Atoi(number)
	return trick, n, found && isOurs && err == nil && name[0] != '_' // the name of an SRV record begins with '_'
}

// addressOf returns the address of the n-th name. 250 names share one loopback
// address, so that the service's limits for one address apply.
func addressOf(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 1, byte(n / 250 / 250), byte(n/250%250) + 1})
}

// serveNames answers DNS queries on conn until conn is closed. It answers that
// names outside of the domain [domain] do not exist. It does not answer queries
// for names that [nameOf] made for the trick "dns".
func serveNames(conn net.PacketConn) { dnstest.Serve(conn, findName) }

// findName returns the DNS records of a name.
func findName(question dnsmessage.Question) ([]dnsmessage.ResourceBody, dnsmessage.RCode, bool) {
	trick, n, ours := trickOf(question.Name.String())
	switch {
	case ours && trick == "dns":
		return nil, 0, false
	case !ours, trick == unknown:
		return nil, dnsmessage.RCodeNameError, true
	case question.Type == dnsmessage.TypeA:
		return []dnsmessage.ResourceBody{&dnsmessage.AResource{A: addressOf(n).As4()}}, dnsmessage.RCodeSuccess, true
	}
	return nil, dnsmessage.RCodeSuccess, true
}
