package matrixtest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// An application service sends requests to its homeserver at these paths. At
// fedProxyPath, it asks the homeserver to forward a request to another
// homeserver.
const (
	isJoinedPath   = "/_matrix/client/unstable/io.element.msc4502/rooms/"
	fedProxyPath   = "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy"
	whoAmIPath     = "/_matrix/client/v3/account/whoami"
	appServicePath = "/_matrix/client/v1/appservice/"
)

// These are the prefixes of the paths that the homeserver forwards to the
// application service. proxiedClient is for requests of clients, and
// proxiedFederation for requests of other homeservers.
var (
	proxiedClient     = []string{"/_matrix/client/unstable/io.element.msc4195/rtc/livekit", "/_matrix/client/v1/rtc/livekit"}
	proxiedFederation = []string{"/_matrix/federation/unstable/io.element.msc4195/rtc/livekit", "/_matrix/federation/v1/rtc/livekit"}
)

// Registered is an application service that is registered at a [Homeserver].
// The fields are the content of the registration file.
type Registered struct {
	ID, ASToken, HSToken, SenderLocalpart string
	ProxyURL                              string // "" if the homeserver forwards no requests to the application service
	URL                                   string // "" if the homeserver sends no events to the application service
	// Server is the homeserver's name. The application service may act as any
	// user of that server.
	Server string
	// MembershipOff switches MSC4502 off, and FederationOff switches MSC4512
	// off.
	MembershipOff, FederationOff bool
}

// AppServices is the part of a homeserver that serves one application service.
// It behaves like Synapse 1.163: it says who is joined, forwards requests to
// and from the application service, and pushes events.
type AppServices struct {
	// Route sends requests to other homeservers and to the application service;
	// nil means [http.DefaultTransport]. Federation returns the base URL of the
	// homeserver named server.
	Route      http.RoundTripper
	Federation func(server string) (baseURL string, ok bool)
	// AnswerTime is how long the homeserver waits for the application service
	// to begin its answer. Zero means the 30 s of Synapse.
	AnswerTime time.Duration

	mu       sync.Mutex
	service  *Registered
	logins   map[string]string // the keys are access tokens, the values user ids
	loggedIn int               // how many logins there were
	rooms    map[string]map[string]bool
	open     map[string]bool // the rooms that everybody may read
	listed   int
	script   http.Handler
	members  http.HandlerFunc
}

// Register registers the application service, or replaces its registration.
func (a *AppServices) Register(r Registered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.service = &r
}

// Login returns a new access token of user. user is a full user id.
func (a *AppServices) Login(user string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.logins == nil {
		a.logins = map[string]string{}
	}
	a.loggedIn++
	token := fmt.Sprintf("syt_%d_abcdefghij", a.loggedIn)
	a.logins[token] = user
	return token
}

// Join makes user a member of room. user may be of any server.
func (a *AppServices) Join(room, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rooms == nil {
		a.rooms = map[string]map[string]bool{}
	}
	if a.rooms[room] == nil {
		a.rooms[room] = map[string]bool{}
	}
	a.rooms[room][user] = true
}

// Leave ends user's membership in room. Tests also use it for a kick and a ban,
// because the fake treats these in the same way.
func (a *AppServices) Leave(room, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.rooms[room], user)
}

// ScriptMembership sets the function that answers every request of MSC4502 from
// now on. If answer is nil, the fake answers these requests itself again.
func (a *AppServices) ScriptMembership(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script = nil
	if answer != nil {
		a.script = answer
	}
}

// serve answers requests that concern application services. It returns false
// for all other requests.
func (a *AppServices) serve(w http.ResponseWriter, r *http.Request) bool {
	a.mu.Lock()
	service := a.service
	a.mu.Unlock()
	path := r.URL.Path
	switch {
	case a.ofUsers(w, r):
	case service == nil:
		return false
	case strings.HasPrefix(path, isJoinedPath) && strings.HasSuffix(path, "/is_joined"):
		a.isJoined(w, r, service)
	case path == fedProxyPath:
		a.fedProxy(w, r, service)
	case strings.HasPrefix(path, appServicePath) && strings.HasSuffix(path, "/ping"):
		a.ping(w, r, service)
	case under(path, proxiedClient):
		a.fromClient(w, r, service)
	case under(path, proxiedFederation):
		a.fromServer(w, r, service)
	default:
		return false
	}
	return true
}

func under(path string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(path, prefix+"/") {
			return true
		}
	}
	return false
}

// requester returns the user to whom the access token in r belongs. An
// application service may act as a user of its namespace, with ?user_id= in the
// query. If there is no valid token, requester answers the request, and returns
// ok as false.
func (a *AppServices) requester(w http.ResponseWriter, r *http.Request) (user string, isService, ok bool) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.mu.Lock()
	login, service := a.logins[token], a.service
	a.mu.Unlock()
	switch {
	case token == "":
		writeJSON(w, http.StatusUnauthorized, matrixError("M_MISSING_TOKEN", "Missing access token"))
	case login != "":
		return login, false, true
	case service == nil || token != service.ASToken:
		writeJSON(w, http.StatusUnauthorized, matrixError("M_UNKNOWN_TOKEN", "Invalid access token passed."))
	case !r.URL.Query().Has("user_id"):
		return "@" + service.SenderLocalpart + ":" + service.Server, true, true
	case !strings.HasSuffix(r.URL.Query().Get("user_id"), ":"+service.Server):
		writeJSON(w, http.StatusForbidden, matrixError("M_FORBIDDEN", "Application service cannot masquerade as this user"))
	default:
		return r.URL.Query().Get("user_id"), true, true
	}
	return "", false, false
}
