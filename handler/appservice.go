package handler

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/matrix"
)

// AppService serves the requests of the homeserver at which this service is
// registered as an application service. The homeserver forwards most of these
// requests for its users and for other homeservers (MSC4195 over MSC4512). It
// makes the other requests for itself, for example to push events.
type AppService struct {
	// HSToken proves that a request comes from the homeserver.
	HSToken secret.Text
	// Server is the name of the homeserver. When the homeserver forwards a
	// client's request, the service accepts it only for a user of this server.
	Server matrix.ServerName
	// IsSFU reports whether url, which a client sent, is the URL of this
	// service's SFU.
	IsSFU func(url string) bool
	// Status returns the result of the last self-test.
	Status func() AppServiceStatus
	// Members, if set, is called for each membership that may have changed,
	// because the homeserver sent an event about it. Members must return
	// immediately.
	Members func(MemberEvent)
	// Missed, if set, is called if the service could not read a transaction to
	// its end. The homeserver does not send the transaction again. So the
	// service cannot know which memberships the transaction changed. Missed
	// must return immediately.
	Missed func()
}

// These are the prefixes of the paths that homeservers proxy. Each list begins
// with the prefix of MSC4195. The second prefix is for a future specification.
var (
	clientPrefixes     = []string{"/_matrix/client/unstable/io.element.msc4195/rtc/livekit", "/_matrix/client/v1/rtc/livekit"}
	federationPrefixes = []string{"/_matrix/federation/unstable/io.element.msc4195/rtc/livekit", "/_matrix/federation/v1/rtc/livekit"}
)

// routeTransaction is the path to which the homeserver sends events.
const routeTransaction = "/_matrix/app/v1/transactions/{txnID}"

// routes adds to h the endpoints that the homeserver calls.
func (s *AppService) routes(h *Handler) {
	for _, prefix := range clientPrefixes {
		h.mux.Post(prefix+"/get_token", s.proxied(byClient("get_token"), serveJSON(h.bodies, h.proxiedToken)))
		h.mux.Post(prefix+"/delegate_delayed_leave", s.proxied(byClient("delegate_delayed_leave"), serveJSON(h.bodies, h.proxiedDelegate)))
		h.mux.Post(prefix+"/self-test/{nonce}", s.proxied(byClient("self-test"), h.selfTest))
	}
	for _, prefix := range federationPrefixes {
		h.mux.Post(prefix+"/get_token", s.proxied(endpoint{viaFederation, "get_token", headerOrigin}, serveJSON(h.bodies, h.federatedToken)))
	}
	h.mux.Post("/_matrix/app/v1/ping", s.own("ping", h.ping))
	h.mux.Put(routeTransaction, s.own("transactions", h.transaction))
	h.mux.Get("/_matrix/app/v1/users/*", s.own("users", h.nobody))
	h.mux.Get("/_matrix/app/v1/rooms/*", s.own("rooms", h.nobody))
}

// These are the values of exchange.via: who forwarded the request to the
// service.
const (
	viaHomeserver = "homeserver"
	viaFederation = "federation"
)

// In these headers, the homeserver names the user or the server that sends the
// request. The service believes the headers only in a request with the
// hs_token.
const (
	headerUser   = "X-Matrix-User-Identifier"
	headerOrigin = "X-Matrix-Origin"
)

// endpoint describes one endpoint for requests that the homeserver forwards.
type endpoint struct {
	via    string
	name   string // the endpoint's name in the metrics
	header string // the header that names the user or server that sent the request
}

func byClient(name string) endpoint { return endpoint{viaHomeserver, name, headerUser} }

// proxied calls next for a request that the homeserver proxies, and records the
// user or server that the homeserver names. It refuses a request that is not
// from the homeserver, before it reads any part of the body.
func (s *AppService) proxied(e endpoint, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
		x.via, x.endpoint = e.via, e.name
		if err := s.checkToken(r); err != nil {
			discardBody(w, r)
			fail(w, r, err)
			return
		}
		if callers := r.Header.Values(e.header); len(callers) == 1 {
			x.caller = callers[0] // if the header had two values, the service would trust neither, because the homeserver sets the header only once
		}
		if x.caller == "" {
			discardBody(w, r)
			fail(w, r, &proxyError{cause: causeNoCaller})
			return
		}
		if e.via == viaHomeserver {
			x.asked.user = x.caller
		}
		next(w, r)
	}
}

// asked reports whether r comes from the homeserver. Such a request has a path
// that begins with /_matrix/, and carries the hs_token.
func (s *AppService) asked(r *http.Request) bool {
	return s != nil && strings.HasPrefix(r.URL.Path, "/_matrix/") && s.checkToken(r) == nil
}

// checkToken returns an error unless r carries the hs_token. It compares the
// tokens in constant time.
func (s *AppService) checkToken(r *http.Request) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || token == "":
		return &proxyError{cause: causeTokenMissing}
	case !s.HSToken.Equal(secret.New(token)):
		return &proxyError{cause: causeTokenWrong}
	}
	return nil
}

// proxiedToken serves get_token for a user of the homeserver.
func (h *Handler) proxiedToken(ctx context.Context, x *exchange, body []byte) (answer jwtAnswer, err error) {
	ask, err := decodeProxied(body)
	if err != nil {
		return "", err
	}
	defer x.onRefusal(&ask.what, &err)
	target, err := ask.target(h.AppService.Server)
	if err != nil {
		return "", err
	}
	if target.IsZero() {
		if err := h.isOurSFU(ask.url); err != nil {
			return "", err
		}
	}
	who, err := h.localCaller(x, ask)
	if err != nil {
		return "", err
	}
	what := x.request(ask.what)
	if target.IsZero() {
		got, err := h.Access.Token(ctx, who, what)
		x.note(got)
		return jwtAnswer(got.Token), err
	}
	x.remote = target
	content, got, err := h.Access.RemoteToken(ctx, who, target, what, ask.forRemote(who.User))
	x.note(got)
	if err != nil {
		return "", err
	}
	return jwtOf(target, content)
}

// proxiedDelegate serves delegate_delayed_leave for a user of the homeserver.
func (h *Handler) proxiedDelegate(ctx context.Context, x *exchange, body []byte) (answer empty, err error) {
	ask, err := decodeProxiedDelegate(body)
	if err != nil {
		return empty{}, err
	}
	defer x.onRefusal(&ask.what, &err)
	if err := h.isOurSFU(ask.url); err != nil {
		return empty{}, err
	}
	who, err := h.localCaller(x, ask)
	if err != nil {
		return empty{}, err
	}
	got, err := h.Access.Delegate(ctx, who, x.request(ask.what))
	x.note(got)
	return empty{}, onProxied(err)
}

// federatedToken serves get_token for a user of another homeserver. That
// homeserver asks our homeserver, which forwards the request. Package access
// checks that the user belongs to the other homeserver (Federated.prove), and
// is joined to the room. If not, the answer is 403. The answer is also 403 for
// a malformed X-Matrix-Origin, and 400 for a malformed user_id.
func (h *Handler) federatedToken(ctx context.Context, x *exchange, body []byte) (answer jwtAnswer, err error) {
	ask, name, err := decodeFederated(body)
	if err != nil {
		return "", err
	}
	x.asked.user = name
	defer x.onRefusal(&ask.what, &err)
	if err := h.isOurSFU(ask.url); err != nil {
		return "", err
	}
	origin, err := matrix.ParseServerName(x.caller)
	if err != nil {
		return "", &proxyError{cause: causeBadOrigin, err: err}
	}
	user, err := matrix.ParseUserID(name)
	if err != nil {
		return "", &paramError{param: "user_id", cause: causeBadUser, detail: err.Error()}
	}
	if err := ask.claims(user); err != nil {
		return "", err
	}
	got, err := h.Access.Token(ctx, access.Federated{User: user, Origin: origin}, x.request(ask.what))
	x.note(got)
	return jwtAnswer(got.Token), onFederated(err)
}

// isOurSFU returns nil if url is the URL of our SFU. Otherwise it returns a
// *paramError (400 M_INVALID_PARAM).
func (h *Handler) isOurSFU(url string) error {
	if h.AppService.IsSFU(url) {
		return nil
	}
	return &paramError{param: "url", cause: "url_mismatch", detail: "the client asks for " + text.Clip(url, maxLogged/4) + ", but LIVEKIT_URL is " + h.URL +
		": correct matrix_rtc.transports of the homeserver, or name the other in LIVEKIT_URL_ALIASES"}
}

// localCaller returns the user whom the homeserver names as the sender of the
// request. It returns a *paramError (400 M_INVALID_PARAM) if the user id is
// malformed or of another server.
func (h *Handler) localCaller(x *exchange, ask proxiedRequest) (access.Proxied, error) {
	user, err := matrix.ParseUserID(x.caller)
	switch {
	case err != nil:
		return access.Proxied{}, &paramError{param: headerUser, cause: causeBadUser, detail: err.Error()}
	case user.Server() != h.AppService.Server:
		return access.Proxied{}, &paramError{param: headerUser, cause: causeForeignUser,
			detail: "the homeserver says that a user of " + user.Server().String() + " asks; LIVEKIT_HS_SERVER_NAME, which is " +
				h.AppService.Server.String() + ", is probably wrong"}
	}
	return access.Proxied{User: user}, ask.claims(user)
}

// jwtAnswer is an answer that contains only a token. The client already knows
// the URL of the SFU.
type jwtAnswer string

func (a jwtAnswer) appendJSON(b []byte) []byte {
	b = append(b, `{"jwt":`...)
	b = append(b, quoteJSON(string(a))...)
	return append(b, '}')
}

// jwtOf returns the token in content. content is the answer of another
// homeserver, whose name is server.
func jwtOf(server matrix.ServerName, content json.RawMessage) (jwtAnswer, error) {
	var answer struct {
		JWT string `json:"jwt"`
	}
	if json.Unmarshal(content, &answer) != nil || answer.JWT == "" {
		return "", &matrix.RemoteError{Server: server, Status: http.StatusOK, Err: errNoJWT}
	}
	return jwtAnswer(answer.JWT), nil
}
