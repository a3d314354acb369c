package connlimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestShare checks that a network gets a quarter of the places. The server must
// close a further connection from the same network immediately, and the further
// connection must take no place.
func TestShare(t *testing.T) {
	inBubble(t, 8, nil, func(t *testing.T, l *lab) {
		var first []*peer
		for range 2 {
			first = append(first, l.connect("192.0.2.1"))
		}
		for i := range 10 {
			if !l.connect("192.0.2.1").isClosed() {
				t.Errorf("connection %d over the share: got it open, want it closed", i)
			}
		}
		if first[0].isClosed() || first[1].isClosed() {
			t.Error("a connection within the share: got it closed, want it open")
		}
		for i := range 4 {
			ip := fmt.Sprintf("198.51.100.%d", i)
			if status, _ := l.connect(ip).ask(request); status != http.StatusOK {
				t.Errorf("another network: %d, want 200", status)
			}
		}
		first[0].Close()
		synctest.Wait()
		if status, _ := l.connect("192.0.2.1").ask(request); status != http.StatusOK {
			t.Errorf("after one was closed: %d, want 200", status)
		}
	})
}

// TestIdleOfTheShareGiveWay checks a client network that has as many connections as one
// network may have (its share), all of them idle. It must be able to open new ones.
func TestIdleOfTheShareGiveWay(t *testing.T) {
	inBubble(t, 8, nil, func(t *testing.T, l *lab) {
		other := l.connect("198.51.100.1")
		other.ask(request)
		time.Sleep(time.Second)
		kept := []*peer{l.connect("192.0.2.1"), l.connect("192.0.2.1")}
		for _, p := range kept {
			p.ask(request)
			time.Sleep(time.Second)
		}
		if status, _ := l.connect("192.0.2.1").ask(request); status != http.StatusOK {
			t.Errorf("a third connection: %d, want 200", status)
		}
		if first, second := kept[0].isClosed(), kept[1].isClosed(); !first || second || other.isClosed() {
			t.Errorf("closed: the longest idle %v, the other one %v, another network's %v; want only the first", first, second, other.isClosed())
		}
	})
}

// TestProxiesHaveNoShare checks that a proxy may have more connections than a client
// network may have (its share), because the proxy has many clients.
func TestProxiesHaveNoShare(t *testing.T) {
	inBubble(t, 8, nil, func(t *testing.T, l *lab) {
		for i := range 8 {
			if l.connect("10.0.0.1").isClosed() {
				t.Errorf("connection %d of a proxy: got it closed, want it open", i)
			}
		}
	})
}

// TestIdleGiveWay opens a new connection while all places are taken. The new
// connection must wait, and the server must close the one that has been idle longest.
func TestIdleGiveWay(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, l *lab) {
		first, second := l.connect("10.0.0.1"), l.connect("10.0.0.1")
		first.ask(request)
		time.Sleep(time.Second)
		second.ask(request)
		time.Sleep(time.Second)
		if status, _ := l.connect("10.0.0.1").ask(request); status != http.StatusOK {
			t.Errorf("a third connection: %d, want 200", status)
		}
		if !first.isClosed() || second.isClosed() {
			t.Errorf("closed: got %v of the longest idle one and %v of the next, want the first alone", first.isClosed(), second.isClosed())
		}
	})
}

// TestLateRequests checks that the time in which a request must arrive depends on
// how many more connections the Listener may have.
func TestLateRequests(t *testing.T) {
	for _, c := range []struct {
		limit, taken int
		want         time.Duration
	}{
		{8, 3, 0}, // lastsFor adds one connection, so half of the places are still free
		{8, 5, 8 * time.Second},
		{8, 6, 4 * time.Second},
		{8, 7, minArrival},
		{8, 8, minArrival},
	} {
		for name, sent := range map[string]string{
			"nothing":       "",
			"half a header": "POST / HTTP/1.1\r\nHo",
			"half a body":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
		} {
			t.Run(fmt.Sprintf("%d of %d, %s", c.taken, c.limit, name), func(t *testing.T) {
				inBubble(t, c.limit, nil, func(t *testing.T, l *lab) {
					slow := make([]*peer, c.taken)
					for i := range slow {
						slow[i] = l.connect(fmt.Sprintf("192.0.2.%d", i))
						slow[i].say(sent)
					}
					lastsFor(t, l, slow[0], c.want)
				})
			})
		}
	}
}

// lastsFor checks that the server closes p after the time want. If want is zero,
// the server must keep p open for a minute. Meanwhile, lastsFor makes a client
// connect every 50 ms.
func lastsFor(t *testing.T, l *lab, p *peer, want time.Duration) {
	t.Helper()
	start := time.Now()
	for !p.isClosed() && time.Since(start) < time.Minute {
		time.Sleep(50 * time.Millisecond)
		knock(l)
	}
	took := time.Since(start)
	if want == 0 {
		want = time.Minute
	}
	if took < want || took > want+4*hurryEvery {
		t.Errorf("ended after %v, want %v", took, want)
	}
}

// knock makes a client connect and disconnect, if the listener accepts
// connections.
func knock(l *lab) {
	ours, theirs := net.Pipe()
	select {
	case l.door.conns <- visitor{theirs, client("10.0.0.9")}:
	default:
	}
	ours.Close()
	synctest.Wait()
}

// TestAnsweringIsNotLate checks that the server waits for a handler that works for
// long on a request that has arrived. But the server closes a connection whose
// client does not read the answer.
func TestAnsweringIsNotLate(t *testing.T) {
	slowly := func(o *Options, s *http.Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(30 * time.Second)
			hello(w, r)
		})
	}
	inBubble(t, 2, slowly, func(t *testing.T, l *lab) {
		reader := l.connect("10.0.0.1")
		deaf, theirs := net.Pipe() // the client reads nothing
		l.door.conns <- visitor{theirs, client("10.0.0.1")}
		_, _ = io.WriteString(deaf, request)
		reader.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
		waiting := l.connect("10.0.0.2")
		time.Sleep(29 * time.Second)
		if reader.isClosed() {
			t.Error("a request that has arrived: got its connection closed, want it open")
		}
		time.Sleep(3 * time.Second / 2)
		if status, _, _ := reader.answer(); status != http.StatusOK {
			t.Errorf("%d, want 200", status)
		}
		waiting.say(request) // gets the place that is free after the answer to reader
		synctest.Wait()
		start := time.Now()
		another := l.connect("10.0.0.2")
		status, _ := another.ask(request) // waits until the server closes the connection of deaf, and gets its place
		if took := time.Since(start); status != http.StatusOK || took < 29*time.Second+minArrival || took > 30*time.Second+minArrival {
			t.Errorf("%d after %v, want 200 when the answer that nobody reads has waited for %v", status, took, minArrival)
		}
	})
}

// TestNothingStays checks a connection that is closed twice. It must give back its
// place and its part of the client network's share exactly once.
func TestNothingStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		l := New(d, Options{Limit: 4, Network: ownNetwork, Log: slog.New(slog.DiscardHandler)})
		for range 100 {
			ours, theirs := net.Pipe()
			go func() { d.conns <- visitor{theirs, client("192.0.2.1")} }()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			c.Close()
			ours.Close()
		}
		if len(l.places) != 0 || len(l.conns) != 0 {
			t.Errorf("%d places are taken, %d connections known, want none", len(l.places), len(l.conns))
		}
		if release, ok := l.shares.TryAcquire(netip.MustParsePrefix("192.0.2.1/32")); !ok {
			t.Error("TryAcquire: got false, want a free share")
		} else {
			release()
		}
	})
}

// TestCloseEndsTheWait checks that Close ends a call of Accept that waits for a
// place.
func TestCloseEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		l := New(d, Options{Limit: 1, Log: slog.New(slog.DiscardHandler)})
		_, theirs := net.Pipe()
		go func() { d.conns <- visitor{theirs, client("192.0.2.1")} }()
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { _, err := l.Accept(); failed <- err }()
		time.Sleep(time.Second)
		l.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
	})
}

// TestAcceptedBeforeClose checks that a connection that was accepted just before
// Close is served. Otherwise that connection would be lost when another process
// takes over the socket.
func TestAcceptedBeforeClose(t *testing.T) {
	// A takePlace with one select for the free place and the Listener's end would
	// choose between them at random. It would fail in about half of 100 tries.
	for range 100 {
		l := New(newDoor(), Options{Limit: 1})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.takePlace(); err != nil {
			t.Fatalf("got %v, want the place that is free", err)
		}
	}
}

// TestSettle checks that Settle waits until a connection has sent its request,
// but not longer than ctx.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		l := New(d, Options{Limit: 1})
		ours, theirs := net.Pipe()
		go func() { d.conns <- visitor{ours, client("192.0.2.1")} }()
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		settled := make(chan time.Duration, 1)
		settle := func(most time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), most)
			defer cancel()
			began := time.Now()
			l.Settle(ctx)
			settled <- time.Since(began)
		}
		if settle(time.Second); <-settled != time.Second {
			t.Error("a silent connection: got no wait, want 1 s")
		}
		go settle(time.Minute)
		go theirs.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		if _, err := accepted.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // virtual time passes; the server has read the request, but has not answered it
		accepted.(*conn).answered()
		if took := <-settled; took < time.Second || took > time.Second+settleEvery {
			t.Errorf("it took %s, want until the request had been read", took)
		}
		accepted.Close()
	})
}
