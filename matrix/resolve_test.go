package matrix_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestResolutionTable checks each case of discovery in the specification. In
// each row, the homeserver can be reached only in the way that the row
// describes.
func TestResolutionTable(t *testing.T) {
	rows := []struct {
		row, server string
		wellKnown   string // the m.server in the document at server:443
		srv         map[string]string
		at          string // the host:port at which the homeserver listens
		certificate string
		host        string // the Host header that the homeserver must get
	}{
		{row: "1 IPv4", server: "192.0.2.1", at: "192.0.2.1:8448", certificate: "192.0.2.1", host: "192.0.2.1"},
		{row: "1 IPv4 and port", server: "192.0.2.1:99", at: "192.0.2.1:99", certificate: "192.0.2.1", host: "192.0.2.1:99"},
		{row: "1 IPv6", server: "[2001:db8::1]", at: "[2001:db8::1]:8448", certificate: "2001:db8::1", host: "[2001:db8::1]"},
		{row: "1 IPv6 and port", server: "[2001:db8::1]:99", at: "[2001:db8::1]:99", certificate: "2001:db8::1", host: "[2001:db8::1]:99"},
		{row: "2 port", server: "a.test:99", at: "a.test:99", certificate: "a.test", host: "a.test:99"},
		{row: "3.1 IPv4", server: "a.test", wellKnown: "192.0.2.1", at: "192.0.2.1:8448", certificate: "192.0.2.1", host: "192.0.2.1"},
		{row: "3.1 IPv6 and port", server: "a.test", wellKnown: "[2001:db8::1]:99", at: "[2001:db8::1]:99", certificate: "2001:db8::1", host: "[2001:db8::1]:99"},
		{row: "3.2", server: "a.test", wellKnown: "b.test:443", at: "b.test:443", certificate: "b.test", host: "b.test:443"},
		{row: "3.3", server: "a.test", wellKnown: "b.test",
			srv: map[string]string{"_matrix-fed._tcp.b.test": "c.test", "_matrix._tcp.b.test": "d.test"},
			at:  "c.test:7000", certificate: "b.test", host: "b.test"},
		{row: "3.4", server: "a.test", wellKnown: "b.test", srv: map[string]string{"_matrix._tcp.b.test": "d.test"},
			at: "d.test:7000", certificate: "b.test", host: "b.test"},
		{row: "3.5", server: "a.test", wellKnown: "b.test", srv: map[string]string{"_matrix._tcp.a.test": "d.test"},
			at: "b.test:8448", certificate: "b.test", host: "b.test"},
		{row: "4", server: "a.test", srv: map[string]string{"_matrix-fed._tcp.a.test": "c.test", "_matrix._tcp.a.test": "d.test"},
			at: "c.test:7000", certificate: "a.test", host: "a.test"},
		{row: "5", server: "a.test", srv: map[string]string{"_matrix._tcp.a.test": "d.test"},
			at: "d.test:7000", certificate: "a.test", host: "a.test"},
		{row: "6", server: "a.test", at: "a.test:8448", certificate: "a.test", host: "a.test"},
		{row: "invalid m.server falls to 6", server: "a.test", wellKnown: "https://b.test", at: "a.test:8448", certificate: "a.test", host: "a.test"},
		{row: "no second well-known on the delegated name", server: "a.test", wellKnown: "b.test", at: "b.test:8448", certificate: "b.test", host: "b.test"},
	}
	for _, row := range rows {
		t.Run(row.row, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				hs := &matrixtest.Homeserver{}
				w.Serve(row.at, hs, row.certificate)
				if row.wellKnown != "" {
					apex := &matrixtest.Homeserver{}
					apex.Delegate(row.wellKnown)
					w.Serve(row.server+":443", apex)
				}
				for name, target := range row.srv {
					w.SetSRV(name, matrixtest.SRV{Target: target, Port: 7000})
				}
				user := "@alice:" + row.server
				if got, err := w.verify(t, hs, user); err != nil || got != user {
					t.Fatalf("Verify: got %q, %v, want %q; dialled %q", got, err, user, w.Dials())
				}
				if got := hs.Requests()[0].Host; got != row.host {
					t.Errorf("Host = %q, want %q", got, row.host)
				}
			})
		})
	}
}

func TestTLSNameIsNeverTheSRVTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.SetSRV("_matrix._tcp.a.test", matrixtest.SRV{Target: "evil.test", Port: 7000})
		w.Serve("evil.test:7000", hs, "evil.test")
		_, err := w.verify(t, hs, "@alice:a.test")
		wantCause(t, err, matrix.CauseTLS)
	})
}

func TestSRVPriorityAndFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.SetSRV("_matrix-fed._tcp.a.test",
			matrixtest.SRV{Target: "third.test", Port: 7003, Priority: 30},
			matrixtest.SRV{Target: "first.test", Port: 7001, Priority: 10},
			matrixtest.SRV{Target: "second.test", Port: 7002, Priority: 20})
		w.Serve("second.test:7002", hs, "a.test")
		w.Serve("third.test:7003", &matrixtest.Homeserver{}, "a.test")
		for range 2 {
			if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"a.test:443", "first.test:7001", "second.test:7002"}
		if got := w.Dials(); !slices.Equal(got, want) {
			t.Errorf("dialled %q, want %q: the one that answered is asked first from then on", got, want)
		}
	})
}

func TestSRVTargetOfDotIsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.SetSRV("_matrix-fed._tcp.a.test", matrixtest.SRV{Target: ".", Port: 1})
		w.Serve("a.test:8448", hs)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOverride(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.Serve("inside.test:8009", http.StripPrefix("/synapse", hs))
		w.resolver.Overrides = map[matrix.ServerName]*url.URL{
			matrixtest.ServerName(t, "a.test"): {Scheme: "https", Host: "inside.test:8009", Path: "/synapse/"},
		}
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		if got := w.Dials(); !slices.Equal(got, []string{"inside.test:8009"}) {
			t.Errorf("dialled: got %q, want inside.test:8009 alone", got)
		}
	})
}

func TestBrokenDNSIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hs := &matrixtest.Homeserver{}
		w.BreakSRV("_matrix-fed._tcp.a.test")
		w.Serve("a.test:8448", hs)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		before := w.AskedSRV("_matrix-fed._tcp.a.test")
		time.Sleep(3 * time.Minute)
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		if w.AskedSRV("_matrix-fed._tcp.a.test") == before {
			t.Errorf("3 min after a name server had failed: got %d questions as before, want one more", before)
		}
	})
}

// TestSRVTargetsAreBounded checks a name with many SRV records. One request
// must dial only a few of their targets, so that strangers cannot use this
// service to scan many ports.
func TestSRVTargetsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var records []matrixtest.SRV
		for i := range 500 {
			records = append(records, matrixtest.SRV{Target: "victim.test", Port: uint16(i + 1)})
		}
		w.SetSRV("_matrix-fed._tcp.a.test", records...)
		_, err := w.verify(t, &matrixtest.Homeserver{}, "@alice:a.test")
		wantCause(t, err, matrix.CauseConnect)
		if got := len(w.Dials()); got > 10 {
			t.Errorf("got %d connections for one request, want at most 10", got)
		}
	})
}
