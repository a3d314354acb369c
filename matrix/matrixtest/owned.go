package matrixtest

import (
	"net/http"
	"strings"
	"time"
)

// RequireToken has the homeserver manage delayed events for those alone who have
// an access token, as MSC4140 wants it.
func (d *DelayedEvents) RequireToken(require bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = require
}

// mayManage judges the access token of a request about delayed events, and
// answers it when the token does not do. A look-up needs the owner's.
func (h *Homeserver) mayManage(w http.ResponseWriter, r *http.Request) bool {
	id, action, ok := cutDelayed(r)
	if !ok {
		return true
	}
	user := ""
	service := h.registered()
	switch {
	case service == nil && h.hasToken(r):
		return true // a fake without a registration knows no tokens
	case h.hasToken(r):
		if user, _, ok = h.requester(w, r); !ok {
			return false
		}
	case h.DelayedEvents.needsToken() || action == "":
		writeJSON(w, http.StatusUnauthorized, matrixError("M_MISSING_TOKEN", "Missing access token"))
		return false
	}
	if action == "" {
		h.lookUp(w, id, user)
		return false
	}
	return true
}

func (h *Homeserver) hasToken(r *http.Request) bool { return r.Header.Get("Authorization") != "" }

// registered returns the application service, nil for none.
func (a *AppServices) registered() *Registered {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.service
}

func (d *DelayedEvents) needsToken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// cutDelayed takes the path of a request about one delayed event apart. A
// look-up has no action.
func cutDelayed(r *http.Request) (id, action string, ok bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, delayedPath)
	if !ok || rest == "" {
		return "", "", false
	}
	id, action, manages := strings.Cut(rest, "/")
	return id, action, manages && r.Method == http.MethodPost || !manages && r.Method == http.MethodGet
}

// lookUp answers the owner of an event, and is 404 to all others.
func (d *DelayedEvents) lookUp(w http.ResponseWriter, id, user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.events[id]
	if e == nil || e.Over != "" || e.owner != user {
		writeJSON(w, http.StatusNotFound, matrixError("M_NOT_FOUND", "No such event"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"delay_id": id, "room_id": e.room, "type": "org.matrix.msc3401.call.member", "state_key": "_" + user,
		"delay_ms": e.delay.Milliseconds(), "delayed_since_ts": time.Now().UnixMilli(), "content": struct{}{},
	})
}
