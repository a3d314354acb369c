// Package dnstest answers DNS queries for the name servers of tests and labs.
package dnstest

import (
	"errors"
	"net"

	"golang.org/x/net/dns/dnsmessage"
)

// ErrNoAnswer is what [Answer] returns where [Find] gives no answer.
var ErrNoAnswer = errors.New("dnstest: the question gets no answer")

// Find returns the records for a question, all of its type, and the result. It
// returns false where the name server must stay silent.
type Find func(dnsmessage.Question) ([]dnsmessage.ResourceBody, dnsmessage.RCode, bool)

// Serve answers the queries at conn until it is closed. It ignores packets that
// are no query.
func Serve(conn net.PacketConn, find Find) {
	packet := make([]byte, 1500)
	for {
		n, client, err := conn.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if answer, err := Answer(packet[:n], find); err == nil {
			_, _ = conn.WriteTo(answer, client)
		}
	}
}

// Answer returns the answer to the first question of a query. Its records have a
// TTL of 0, because tests change them. Answer returns [ErrNoAnswer] where find
// gives no answer, or an error where the packet is no query.
func Answer(packet []byte, find Find) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(packet)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	records, result, answered := find(question)
	if !answered {
		return nil, ErrNoAnswer
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, RCode: result, RecursionDesired: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{question},
	}
	for _, record := range records {
		message.Answers = append(message.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: dnsmessage.ClassINET},
			Body:   record,
		})
	}
	return message.Pack()
}
