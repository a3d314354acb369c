package doctor

import (
	"context"
	"slices"
	"strings"

	"matrixrtc-auth/matrix"
)

// homeserverStatus is what /_status tells of one homeserver.
type homeserverStatus struct {
	Server    string         `json:"server"`
	Addresses []string       `json:"addresses"`
	Host      string         `json:"host"`
	TLSName   string         `json:"tls_name"`
	FoundBy   matrix.FoundBy `json:"found_by"`
	Outcome   string         `json:"outcome"`
	Answered  bool           `json:"answered"`
}

// destinations has the running service's view of each homeserver compared with
// doctor's own, after the service has been asked for tickets.
func (e *exam) destinations(status *Check, tickets []*Check) {
	if status == nil {
		return
	}
	for _, s := range e.servers {
		e.addTo(s, &Check{ID: "service.destination", Needs: []*Check{status, e.check("homeserver.userinfo", s)}, After: tickets,
			Run: func(ctx context.Context) Finding { return e.destination(ctx, s) }})
	}
}

// destination compares where the running service asks a homeserver with where it
// was found just now, and answered as it should.
func (e *exam) destination(ctx context.Context, s *server) Finding {
	var now serviceStatus
	if r, err := askStatus(ctx, e.here(), insideURL, e.look.Config.Keys[0], nil, &now); err != nil {
		return na("GET /_status: %s", r)
	}
	i := slices.IndexFunc(now.Homeservers, func(h homeserverStatus) bool { return h.Server == s.name.String() })
	if i < 0 {
		return ok("the service has not asked %s since it was started", s.name)
	}
	used := now.Homeservers[i]
	there := clip(strings.Join(used.Addresses, " "))
	if used.isAt(s.destiny) {
		return ok("the service asks %s, too", there)
	}
	v := vars{"server": s.name.String(), "old": there, "found": clip(strings.Join(s.destiny.Addrs, " "))}
	cause := "destination-stale"
	if used.Answered {
		cause = "destination-moved"
	}
	return found(cause, v, "the service asks %s as %s (%s), last with the outcome %s; found just now was %s as %s", there,
		clip(used.Host), foundBy(used.FoundBy, clip(used.Host)), clip(used.Outcome), v["found"], clip(s.destiny.Host))
}

// isAt reports whether the service asks at d. Which of several SRV targets comes
// first differs from time to time.
func (h homeserverStatus) isAt(d matrix.Destination) bool {
	return h.Host == d.Host && h.TLSName == d.TLSName &&
		slices.ContainsFunc(h.Addresses, func(addr string) bool { return slices.Contains(d.Addrs, addr) })
}
