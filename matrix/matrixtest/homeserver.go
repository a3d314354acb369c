package matrixtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// UserInfoPath is the path of requests that ask a homeserver to which user an
// OpenID token belongs.
const UserInfoPath = "/_matrix/federation/v1/openid/userinfo"

// Homeserver is a homeserver without a listener. It is an [http.Handler]. It
// answers requests for userinfo and for well-known documents, requests about
// delayed events, and requests of application services.
type Homeserver struct {
	DelayedEvents
	AppServices

	mu        sync.Mutex
	tokens    map[string]string // the keys are OpenID access tokens, the values user ids
	requests  []*http.Request
	wellKnown http.Handler
	script    http.Handler
}

// IssueToken returns an OpenID access token for user, a full user id. user may
// also be of another server, so that tests can have a homeserver that lies.
func (h *Homeserver) IssueToken(user string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens == nil {
		h.tokens = make(map[string]string)
	}
	token := fmt.Sprintf("openid%08d-abcdefghij", len(h.tokens)+1)
	h.tokens[token] = user
	return token
}

// Script sets the function that answers every userinfo request from now on. If
// answer is nil, the fake answers these requests itself again.
func (h *Homeserver) Script(answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.script = nil
	if answer != nil {
		h.script = answer
	}
}

// Delegate makes the homeserver answer {"m.server": to} to requests for
// /.well-known/matrix/server.
func (h *Homeserver) Delegate(to string) {
	h.ScriptWellKnown(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"m.server": to})
	})
}

// ScriptWellKnown sets the function that answers every request for
// /.well-known/matrix/server from now on. If answer is nil, the answer is 404
// again.
func (h *Homeserver) ScriptWellKnown(answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wellKnown = nil
	if answer != nil {
		h.wellKnown = answer
	}
}

// Requests returns the requests so far, without their bodies.
func (h *Homeserver) Requests() []*http.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*http.Request(nil), h.requests...)
}

// Count returns how many requests there were for path.
func (h *Homeserver) Count(path string) (n int) {
	for _, r := range h.Requests() {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

// maxRecorded is how many requests a homeserver records at most. Without a
// bound, tests of memory would also measure the recorded requests.
const maxRecorded = 10_000

func (h *Homeserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	if len(h.requests) < maxRecorded {
		h.requests = append(h.requests, r)
	}
	user, known := h.tokens[r.URL.Query().Get("access_token")]
	script, wellKnown := h.script, h.wellKnown
	h.mu.Unlock()

	switch {
	case !h.mayManage(w, r):
	case h.DelayedEvents.serve(w, r):
	case h.AppServices.serve(w, r):
	case r.URL.Path == "/.well-known/matrix/server" && wellKnown != nil:
		wellKnown.ServeHTTP(w, r)
	case r.URL.Path != UserInfoPath:
		writeJSON(w, http.StatusNotFound, matrixError("M_UNRECOGNIZED", "Unrecognized request"))
	case script != nil:
		script.ServeHTTP(w, r)
	case !r.URL.Query().Has("access_token"):
		writeJSON(w, http.StatusUnauthorized, matrixError("M_MISSING_TOKEN", "Access Token required"))
	case !known:
		writeJSON(w, http.StatusUnauthorized, matrixError("M_UNKNOWN_TOKEN", "Access Token unknown or expired"))
	default:
		writeJSON(w, http.StatusOK, map[string]string{"sub": user})
	}
}

func matrixError(code, text string) map[string]string {
	return map[string]string{"errcode": code, "error": text}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	must(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
