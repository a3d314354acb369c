// Package dnstest answers DNS queries. Tests use it to run name servers.
package dnstest

import (
	"errors"
	"net"

	"golang.org/x/net/dns/dnsmessage"
)

// ErrNoAnswer is the error of [Answer] for a question that gets no answer.
var ErrNoAnswer = errors.New("dnstest: the question gets no answer")

// Find returns the records that answer a question, and the result code. All records
// are of the question's type. If the last result is false, the name server sends no
// answer.
type Find func(dnsmessage.Question) ([]dnsmessage.ResourceBody, dnsmessage.RCode, bool)

// Serve answers the queries that arrive at conn until conn is closed. It
// ignores packets that are not queries.
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

// Answer returns the answer to the first question of a query. The records have a
// TTL of 0, because tests change them. If the function find returns false, the
// error is [ErrNoAnswer]. If the packet is not a query, there is another error.
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
