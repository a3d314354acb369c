//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// domain is the end of all strangers' names.
const domain = "hostile.test"

// nameOf returns the n-th name for a trick, such as "junk-17.hostile.test".
// Names that do not exist have the longest possible length.
func nameOf(trick string, n int) string {
	name := fmt.Sprintf("%s-%d.%s", trick, n, domain)
	if trick == unknown {
		name = strings.Repeat(strings.Repeat("x", 40)+".", 4) + name
	}
	return name
}

// unknown is the trick of names that do not exist.
const unknown = "unknown"

// trickOf returns the trick and the number of a name. ok is false for the names
// of SRV records, and for names that [nameOf] does not make.
func trickOf(name string) (trick string, n int, ok bool) {
	label, found := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(name), "."), "."+domain)
	label = label[strings.LastIndexByte(label, '.')+1:]
	trick, number, isOurs := strings.Cut(label, "-")
	n, err := strconv.Atoi(number)
	return trick, n, found && isOurs && err == nil && name[0] != '_' // SRV
}

// addressOf returns the address of a name. 250 names share a loopback address,
// so that the bounds per address apply, too.
func addressOf(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 1, byte(n / 250 / 250), byte(n/250%250) + 1})
}

// serveNames answers DNS queries on loopback's port 53 until conn is closed.
// Names outside the domain do not exist. Those of the trick "dns" get no
// answer.
func serveNames(conn net.PacketConn) {
	packet := make([]byte, 1500)
	for {
		n, client, err := conn.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if answer := answerName(packet[:n]); answer != nil {
			_, _ = conn.WriteTo(answer, client)
		}
	}
}

// answerName returns the answer to a question, nil for none.
func answerName(packet []byte) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(packet)
	if err != nil {
		return nil
	}
	question, err := parser.Question()
	if err != nil {
		return nil
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{question},
	}
	trick, n, ours := trickOf(question.Name.String())
	switch {
	case ours && trick == "dns":
		return nil
	case !ours, trick == unknown:
		message.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		message.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.AResource{A: addressOf(n).As4()},
		}}
	}
	answer, err := message.Pack()
	if err != nil {
		return nil
	}
	return answer
}
