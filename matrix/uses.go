package matrix

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Use is what has become of the requests to a server that the operator named.
type Use struct {
	Server      ServerName
	Destination Destination // where the last one went
	Since       time.Time   // when the first one went there
	At          time.Time   // when the last one ended
	Cause       Cause       // why that failed, "" if it proved a user
	Status      int         // its HTTP status if that was not 200, else 0
	Answered    bool        // a homeserver answered, be it that it knows no such token
}

// uses remembers one Use for each server. The operator names few, so there is no
// bound.
type uses struct {
	mu sync.Mutex
	of map[ServerName]*Use
}

// note takes note of what came of a request to server at d. What says nothing of
// the server is left out.
func (u *uses) note(server ServerName, d Destination, err error) {
	e, _ := errors.AsType[*VerifyError](err)
	if e == nil {
		e = &VerifyError{}
	}
	if e.Cause == CauseBusy || e.Cause == CauseCanceled {
		return
	}
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	use := u.of[server]
	if use == nil || !use.Destination.same(d) {
		use = &Use{Server: server, Since: now}
		if u.of == nil {
			u.of = make(map[ServerName]*Use)
		}
		u.of[server] = use
	}
	use.Destination, use.At, use.Cause, use.Status, use.Answered = d, now, e.Cause, e.Status, isAnswer(err)
}

// Uses returns what has become of the requests to those named servers that were
// asked, by name.
func (v *Verifier) Uses() []Use {
	v.uses.mu.Lock()
	defer v.uses.mu.Unlock()
	all := make([]Use, 0, len(v.uses.of))
	for _, use := range v.uses.of {
		all = append(all, *use)
	}
	slices.SortFunc(all, func(a, b Use) int { return strings.Compare(a.Server.String(), b.Server.String()) })
	return all
}
