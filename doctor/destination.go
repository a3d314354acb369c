package doctor

import (
	"context"
	"slices"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/matrix"
)

// homeserverStatus is the part of /_status about one homeserver.
type homeserverStatus struct {
	Server    string         `json:"server"`
	Addresses []string       `json:"addresses"`
	Host      string         `json:"host"`
	TLSName   string         `json:"tls_name"`
	FoundBy   matrix.FoundBy `json:"found_by"`
	Outcome   string         `json:"outcome"`
	Answered  bool           `json:"answered"`
}

// destination compares the address at which the running service asks the
// homeserver with the address at which doctor has just found it. The check is
// made only if doctor got a good answer from the homeserver.
func (h *homeserver) destination(ctx context.Context) engine.Finding {
	var now serviceStatus
	if r, err := askStatus(ctx, h.here(), insideURL, h.look.Config.Keys[0], nil, &now); err != nil {
		return na("GET /_status: %s", r)
	}
	i := slices.IndexFunc(now.Homeservers, func(s homeserverStatus) bool { return s.Server == h.name.String() })
	if i < 0 {
		return ok("the service has not asked %s since it was started", h.name)
	}
	used := now.Homeservers[i]
	there := clip(strings.Join(used.Addresses, " "))
	if used.isAt(h.destiny) {
		return ok("the service asks %s, too", there)
	}
	v := engine.Vars{"server": h.name.String(), "old": there, "found": clip(strings.Join(h.destiny.Addrs, " "))}
	cause := "destination-stale"
	if used.Answered {
		cause = "destination-moved"
	}
	return found(cause, v, "the service asks %s as %s (%s), last with the outcome %s; found just now was %s as %s", there,
		clip(used.Host), foundBy(used.FoundBy, clip(used.Host)), clip(used.Outcome), v["found"], clip(h.destiny.Host))
}

// isAt reports whether the service asks the homeserver at one of d's addresses.
// The order of the addresses does not count, because SRV targets with the same
// priority come in a random order.
func (used homeserverStatus) isAt(d matrix.Destination) bool {
	return used.Host == d.Host && used.TLSName == d.TLSName &&
		slices.ContainsFunc(used.Addresses, func(addr string) bool { return slices.Contains(d.Addrs, addr) })
}
