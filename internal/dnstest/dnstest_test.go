package dnstest_test

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"matrixrtc-auth/internal/dnstest"
)

// find knows the name known.test, and gives no answer for silent.test.
func find(q dnsmessage.Question) ([]dnsmessage.ResourceBody, dnsmessage.RCode, bool) {
	switch q.Name.String() {
	case "known.test.":
		return []dnsmessage.ResourceBody{&dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}, dnsmessage.RCodeSuccess, true
	case "silent.test.":
		return nil, 0, false
	}
	return nil, dnsmessage.RCodeNameError, true
}

func query(t *testing.T, name string) []byte {
	t.Helper()
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packet, err := message.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func TestAnswer(t *testing.T) {
	for name, want := range map[string]struct {
		records int
		result  dnsmessage.RCode
		err     error
	}{
		"known.test.":   {records: 1},
		"unknown.test.": {result: dnsmessage.RCodeNameError},
		"silent.test.":  {err: dnstest.ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			packet, err := dnstest.Answer(query(t, name), find)
			if !errors.Is(err, want.err) {
				t.Fatalf("Answer: got the error %v, want %v", err, want.err)
			}
			if err != nil {
				return
			}
			var got dnsmessage.Message
			if err := got.Unpack(packet); err != nil {
				t.Fatal(err)
			}
			if got.ID != 7 || !got.Response || got.RCode != want.result || len(got.Answers) != want.records {
				t.Errorf("Answer: got %v, want an answer to 7 with %v and %d records", got.GoString(), want.result, want.records)
			}
		})
	}
	if _, err := dnstest.Answer([]byte("no query"), find); err == nil || errors.Is(err, dnstest.ErrNoAnswer) {
		t.Errorf("Answer to what is no query: got the error %v, want that of the packet", err)
	}
}

// TestServe checks that the name server goes on after a packet that is no
// query, and after a question that gets no answer.
func TestServe(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); dnstest.Serve(server, find) }()
	client, err := net.Dial("udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, packet := range [][]byte{[]byte("no query"), query(t, "silent.test."), query(t, "known.test.")} {
		if _, err := client.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	answer := make([]byte, 512)
	n, err := client.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	var got dnsmessage.Message
	if err := got.Unpack(answer[:n]); err != nil || len(got.Answers) != 1 || got.Answers[0].Header.Name.String() != "known.test." {
		t.Errorf("the first answer: got %v, %v, want that of known.test", got.GoString(), err)
	}
	server.Close()
	<-ended
}
