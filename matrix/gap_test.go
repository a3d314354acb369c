package matrix_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestGap checks that a destination names the step of discovery that failed.
func TestGap(t *testing.T) {
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	for name, c := range map[string]struct {
		document http.HandlerFunc
		deaf     bool // the name server does not answer queries for SRV records
		want     matrix.Gap
	}{
		"a good document":                      {document: says(`{"m.server":"b.test:443"}`)},
		"none":                                 {document: http.NotFound},
		"an error":                             {document: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, want: matrix.GapUnread},
		"no answer":                            {document: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, want: matrix.GapUnread},
		"a page":                               {document: says("<html>"), want: matrix.GapInvalid},
		"a URL":                                {document: says(`{"m.server":"https://b.test"}`), want: matrix.GapInvalid},
		"none, and no word of services":        {document: http.NotFound, deaf: true, want: matrix.GapSRV},
		"a name, and no word of services":      {document: says(`{"m.server":"b.test"}`), deaf: true, want: matrix.GapSRV},
		"an error, and no word of services":    {document: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, deaf: true, want: matrix.GapUnread},
		"a whole place needs no word of those": {document: says(`{"m.server":"b.test:443"}`), deaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apex := &matrixtest.Homeserver{}
				apex.ScriptWellKnown(c.document)
				w.Serve("a.test:443", apex)
				if c.deaf {
					w.resolver.DNS = &net.Resolver{PreferGo: true, Dial: deafDNS}
				}
				d, err := w.resolver.Resolve(t.Context(), matrixtest.ServerName(t, "a.test"), nobody)
				if err != nil {
					t.Fatal(err)
				}
				if d.Gap != c.want || d.Gap != "" && d.Note == "" {
					t.Errorf("%q (%s), want %q", d.Gap, d.Note, c.want)
				}
			})
		})
	}
}

func deafDNS(context.Context, string, string) (net.Conn, error) { return nil, context.DeadlineExceeded }
