//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"matrixrtc-auth/internal/dnstest"

	"matrixrtc-auth/matrix/matrixtest"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		nameOf("junk", 17):                             "junk 17",
		"Junk-3.Hostile.Test.":                         "junk 3",
		"_matrix-fed._tcp." + nameOf("junk", 1):        "none",
		"junk." + domain:                               "none",
		"junk-1.example.org":                           "none",
		nameOf("fine", 9999):                           "fine 9999",
		nameOf(unknown, 9999):                          "unknown 9999",
		strings.Repeat("a", 60) + "-1.other." + domain: "none",
	} {
		t.Run(name, func(t *testing.T) {
			trick, n, ok := trickOf(name)
			got := "none"
			if ok {
				got = fmt.Sprint(trick, " ", n)
			}
			if got != want {
				t.Errorf("trickOf(%q) = %s, want %s", name, got, want)
			}
		})
	}
}

// TestAddresses checks that exactly 250 server names share each address, and
// that all addresses are on loopback.
func TestAddresses(t *testing.T) {
	names := map[string]int{}
	for n := range 100_000 {
		addr := addressOf(n)
		if !addr.IsLoopback() {
			t.Fatalf("addressOf(%d) = %s, want an address of loopback", n, addr)
		}
		names[addr.String()]++
	}
	for addr, n := range names {
		if n != 250 {
			t.Errorf("%d names lead to %s, want 250", n, addr)
		}
	}
}

func TestNameServer(t *testing.T) {
	for question, want := range map[string]string{
		nameOf("fine", 251):                     "NOERROR 127.1.0.2",
		"_matrix-fed._tcp." + nameOf("fine", 1): "NXDOMAIN",
		"example.com":                           "NXDOMAIN",
		nameOf("dns", 1):                        "nothing",
		nameOf(unknown, 1):                      "NXDOMAIN",
		"_matrix-fed._tcp." + nameOf("dns", 1) + ".example.com.": "NXDOMAIN",
	} {
		t.Run(question, func(t *testing.T) {
			query := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: 7},
				Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(strings.TrimSuffix(question, ".") + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
			}
			packet, err := query.Pack()
			if err != nil {
				t.Fatal(err)
			}
			answer, err := dnstest.Answer(packet, findName)
			if err != nil && !errors.Is(err, dnstest.ErrNoAnswer) {
				t.Fatal(err)
			}
			if got := describe(t, answer); got != want {
				t.Errorf("%s: got %s, want %s", question, got, want)
			}
		})
	}
}

// describe returns the content of a name server's answer as text.
func describe(t *testing.T, packet []byte) string {
	t.Helper()
	if packet == nil {
		return "nothing"
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(packet); err != nil {
		t.Fatal(err)
	}
	switch {
	case answer.ID != 7 || !answer.Response:
		return "not the answer"
	case answer.RCode == dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case len(answer.Answers) != 1:
		return fmt.Sprintf("NOERROR with %d answers", len(answer.Answers))
	}
	a := answer.Answers[0].Body.(*dnsmessage.AResource).A
	return "NOERROR " + net.IP(a[:]).String()
}

// TestTricksAnswer checks each trick that answers requests. The trick must
// write a line, and must end when the service closes the connection.
func TestTricksAnswer(t *testing.T) {
	for name, trick := range tricks() {
		if trick.answer == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+nameOf(name, 1)+matrixtest.UserInfoPath, nil)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan bool)
			go func() { ended <- trick.answer(far, r, 0) }()
			near.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := bufio.NewReader(near).ReadString('\n'); err != nil {
				t.Errorf("it says nothing: got %v, want no error", err)
			}
			near.Close()
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Error("5 s after its connection: got it running, want it ended")
			}
		})
	}
}

func TestProbeCounts(t *testing.T) {
	var p probe
	begin := p.mark()
	for i := range 100 {
		p.note(time.Duration(100-i)*time.Millisecond, 200, nil)
	}
	later := p.mark()
	p.note(time.Second, 503, nil)
	for from, want := range map[mark]times{
		begin: {p50: 51 * time.Millisecond, p99: 100 * time.Millisecond, n: 101},
		later: {p50: time.Second, p99: time.Second, n: 1},
	} {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			least := time.Since(from.at)
			got := p.since(from)
			if got.within < least {
				t.Errorf("since %d requests: got %v, want at least %v", from.n, got.within, least)
			}
			if got.within = 0; got != want {
				t.Errorf("since %d requests: got %v, want %v", from.n, got, want)
			}
		})
	}
	if n, first := p.failed(); n != 1 || !strings.Contains(first, "503") {
		t.Errorf("failed: %d, %q; want the 503", n, first)
	}
}

// good returns the figures of a service that keeps all limits.
func good() figures {
	held := state{RSS: 60e6, Heap: 9e6, Goroutines: 30, Files: 30, collected: 9}
	fine := times{p50: time.Millisecond, p99: 100 * time.Millisecond, n: 1000, within: 20 * time.Second}
	return figures{fresh: state{Heap: 5e6, Goroutines: 30, Files: 30}, before: held, after: held,
		most: 110e6, group: 110e6, thousand: 75e6, named: fine, together: fine}
}

// TestJudge checks that the error of judge names each figure that is over its
// limit, and nothing else.
func TestJudge(t *testing.T) {
	if err := good().judge(); err != nil {
		t.Fatalf("with nothing wrong: got %v, want no error", err)
	}
	for want, spoil := range map[string]func(*figures){
		"130.0 MB of resident memory":                               func(f *figures) { f.most = 130e6 },
		"after a thousand servers the service used 81.0 MB":         func(f *figures) { f.thousand = 81e6 },
		"the kernel killed the service":                             func(f *figures) { f.killed = true },
		"for a named server is 251ms":                               func(f *figures) { f.named.p99 = 251 * time.Millisecond },
		"251ms during all attacks":                                  func(f *figures) { f.together.p99 = 251 * time.Millisecond },
		"only 99 requests for a named server ended within 0.1 s, w": func(f *figures) { f.named.n, f.named.within = 99, 100*time.Millisecond },
		"only 249 requests for a named server ended within 10.0 s":  func(f *figures) { f.named.n, f.named.within = 249, 10*time.Second },
		"only 3 requests for a named server ended within the 0.1 s": func(f *figures) { f.together.n, f.together.within = 3, 100*time.Millisecond },
		"3 requests for a named server failed; the":                 func(f *figures) { f.failed, f.failure = 3, "status 503" },
		"10,000 names leave 11.0 MB":                                func(f *figures) { f.before.Heap, f.after.Heap = 16e6, 16e6 },
		"heap 11.1 MB, 30 goroutines, 30 files after; want at most": func(f *figures) { f.after.Heap = 11.1e6 },
		"heap 9.0 MB, 41 goroutines, 30 files after; want at most":  func(f *figures) { f.after.Goroutines = 41 },
		"heap 9.0 MB, 30 goroutines, 41 files after; want at most":  func(f *figures) { f.after.Files = 41 },
	} {
		t.Run(want, func(t *testing.T) {
			f := good()
			spoil(&f)
			err := f.judge()
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one fault that says %q", err, want)
			}
		})
	}
	alone := good()
	alone.alone, alone.together = true, times{}
	alone.named.n, alone.named.within = 50, time.Second
	if err := alone.judge(); err != nil {
		t.Errorf("one attack of a second alone: got %v, want no error", err)
	}
	less := good()
	less.after = state{Heap: 4e6, Goroutines: 20, Files: 20}
	if err := less.judge(); err != nil {
		t.Errorf("with less than before: got %v, want no error", err)
	}
}

// TestSpoil checks that spoil, which removes the bound on TLS handshakes from the
// source, changes nothing else there.
func TestSpoil(t *testing.T) {
	t.Chdir("..")
	dir := t.TempDir()
	if _, err := spoil(dir); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(boundsFile)
	if err != nil {
		t.Fatal(err)
	}
	spoiled, err := os.ReadFile(filepath.Join(dir, "spoiled.go"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(string(source), bound, noBound, 1); string(spoiled) != want || want == string(source) {
		t.Errorf("the spoiled source: got\n%s\nwant the source without %q", spoiled, bound)
	}
}

// TestAttacks checks that no two attacks have the same name, and that each
// trick is part of an attack.
func TestAttacks(t *testing.T) {
	seen, all := map[string]bool{}, tricks()
	for _, a := range attacks(all) {
		if seen[a.name] || a.most <= 0 || a.about == "" {
			t.Errorf("attack %q: got it twice or with most = %d, about = %q; want it once, with an end and words", a.name, a.most, a.about)
		}
		seen[a.name] = true
	}
	for name := range all {
		if !seen[name] {
			t.Errorf("got no attack that plays %q, want one", name)
		}
	}
}

// TestForwardedNetworks checks that the function forwarded returns a different
// address for each client.
func TestForwardedNetworks(t *testing.T) {
	seen := map[string]bool{}
	for n := range 100_000 {
		client := forwarded(n)
		if ip := net.ParseIP(client); ip == nil || seen[client] {
			t.Fatalf("forwarded(%d) = %s, want an address unlike all before", n, client)
		}
		seen[client] = true
	}
}

// TestLineEnds checks that ask returns an error if its context has ended.
func TestLineEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &connection{local: "127.0.0.1"}
	if _, err := l.ask(ctx, "", 0); err == nil {
		t.Error("a request without a context was answered: got no error, want one")
	}
}
