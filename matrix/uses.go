package matrix

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Use describes this service's requests to one server, which the operator named. It
// says where the last request was sent, and how it ended.
type Use struct {
	Server      ServerName
	Destination Destination // where the last request was sent
	Since       time.Time   // when the first request to Destination was made
	At          time.Time   // when the last request ended
	Cause       Cause       // why the last request failed; "" if the homeserver said to which user a token belongs
	Status      int         // the HTTP status of the last answer if that was not 200, else 0
	Answered    bool        // whether a homeserver answered; true even if the homeserver does not know the token
}

// uses holds one Use for each server that the operator named. It has no size
// limit, because the operator names few servers.
type uses struct {
	mu sync.Mutex
	of map[ServerName]*Use
}

// note records that a request to server at the destination d ended with err. It
// ignores errors that say nothing about the server.
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

// Uses returns one Use for each server that the operator named and that this
// service has asked. They are sorted by name.
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
