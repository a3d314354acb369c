package appservice

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// relay forwards requests of a homeserver to its service. It notes the time at which
// the homeserver pushes each membership event.
type relay struct {
	mu      sync.Mutex
	arrived map[string]time.Time // by the event's id
}

// This method starts the relay and returns the relay's address. The relay forwards
// requests to the URL of the service.
func (r *relay) to(t *testing.T, service string) string {
	target, err := url.Parse(service)
	must(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/_matrix/app/v1/transactions/") {
			r.note(req, time.Now())
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (r *relay) note(req *http.Request, now time.Time) {
	body, _ := io.ReadAll(req.Body) // if the body is incomplete, the service gets the same incomplete body
	req.Body = io.NopCloser(bytes.NewReader(body))
	var pushed struct {
		Events []struct {
			ID string `json:"event_id"`
		}
	}
	_ = json.Unmarshal(body, &pushed)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.arrived == nil {
		r.arrived = map[string]time.Time{}
	}
	for _, e := range pushed.Events {
		if _, before := r.arrived[e.ID]; !before {
			r.arrived[e.ID] = now
		}
	}
}

// This method returns the time at which the homeserver first pushed the event with this
// id. If necessary, it waits for the push.
func (r *relay) of(t *testing.T, id string) (arrived time.Time) {
	t.Helper()
	eventually(t, time.Minute, "the homeserver pushes "+id, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		arrived = r.arrived[id]
		return !arrived.IsZero()
	})
	return arrived
}
