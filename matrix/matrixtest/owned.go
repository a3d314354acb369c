package matrixtest

import (
	"net/http"
	"strings"
	"time"
)

// RequireToken sets whether requests about delayed events need an access token,
// as MSC4140 demands.
func (d *DelayedEvents) RequireToken(require bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = require
}

// mayManage checks the access token of a request about delayed events. If the
// token is not valid, mayManage answers the request and returns false. If the
// request looks an event up, the token must belong to the event's owner.
func (h *Homeserver) mayManage(w http.ResponseWriter, r *http.Request) bool {
	id, action, ok := cutDelayed(r)
	if !ok {
		return true
	}
	user := ""
	service := h.registered()
	switch {
	case service == nil && h.hasToken(r):
		return true // without a registration, the fake knows no tokens, so it allows every request
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

// registered returns the registered application service, or nil if there is
// none.
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

// cutDelayed splits the path of a request about one delayed event into the
// event's id and the action. For a request that looks the event up, action is
// "".
func cutDelayed(r *http.Request) (id, action string, ok bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, delayedPath)
	if !ok || rest == "" {
		return "", "", false
	}
	id, action, manages := strings.Cut(rest, "/")
	return id, action, manages && r.Method == http.MethodPost || !manages && r.Method == http.MethodGet
}

// lookUp answers with the event if user is the event's owner, else with 404.
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
