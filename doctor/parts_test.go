package doctor_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/access"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// newService returns this service, built as the program builds it.
func (s *stack) newService() http.Handler {
	key := stackKey
	if id := s.env["LIVEKIT_KEY"]; id != "" {
		key = sfu.Key{ID: id, Secret: secret.New(s.env["LIVEKIT_SECRET"])}
	}
	transport := &outbound.Transport{Dial: s.byName, TLS: &tls.Config{RootCAs: s.ca.Pool()}}
	own, _ := matrix.ParseServerName(apexHost)
	isOwn := func(name matrix.ServerName) bool { return name == own }
	api := &url.URL{Scheme: "http", Host: "livekit:7880"}
	verifier := &matrix.Verifier{Resolver: &matrix.Resolver{
		DNS: s.net.Resolver(), Servers: matrix.Servers{Named: isOwn, NamedTransport: transport, OtherTransport: transport},
	}}
	h := &handler.Handler{
		Access: &access.Authorizer{
			Verifier: verifier,
			Rooms:    sfu.NewRooms(sfu.NewClient(api, sfu.Always(key), &http.Client{Transport: &http.Transport{DialContext: s.byName}})),
			Minter:   ticket.NewMinter([]sfu.Key{key}, time.Hour), FullAccess: isOwn, CanPublish: isOwn, Named: isOwn,
			Delegation: &access.Delegation{Everyone: true},
		},
		Homeservers: verifier.Uses,
		URL:         "wss://" + sfuHost, Webhooks: sfu.Webhooks{Keys: sfu.Always(key)},
		Proxies: handler.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}, Header: s.env["LIVEKIT_CLIENT_ADDRESS"]},
		Log:     slog.New(slog.DiscardHandler), Version: version,
		Leaves: func(context.Context) handler.LeaveStatus {
			return handler.LeaveStatus{RefusedBy: []string{}, SFUAnswers: true, Store: handler.StoreStatus{Kind: "memory", State: "ok"}}
		},
	}
	s.service(h)
	return h.Routes()
}

// newLiveKit returns an SFU that reports its rooms by webhooks and accepts
// WebSockets.
func (s *stack) newLiveKit() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/rtc" && !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Path == "/rtc":
			s.upgrade(w, r)
		case r.URL.Path == "/rtc/validate":
			s.lk.ServeHTTP(w, tokenOfQuery(r))
		case strings.HasSuffix(r.URL.Path, "/CreateRoom"):
			taking("audio/opus", "video/VP8")(s.lk).ServeHTTP(w, r)
			s.tell()
		default:
			s.lk.ServeHTTP(w, r)
		}
	})
}

// tokenOfQuery moves a token from the query into a header. LiveKit accepts a
// token in either place.
func tokenOfQuery(r *http.Request) *http.Request {
	if token := r.URL.Query().Get("access_token"); token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// upgrade opens a WebSocket if the request has a valid token.
func (s *stack) upgrade(w http.ResponseWriter, r *http.Request) {
	r = tokenOfQuery(r)
	r.URL.Path = "/rtc/validate"
	answer := httptest.NewRecorder()
	s.lk.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		w.WriteHeader(answer.Code)
		return
	}
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.WriteHeader(http.StatusSwitchingProtocols)
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// tell reports all rooms of the SFU to the service by webhooks, as LiveKit
// does.
func (s *stack) tell() {
	if !s.webhooks {
		return
	}
	for _, room := range s.lk.Rooms() {
		event := &livekit.WebhookEvent{Event: "room_started", Id: "EV_1", Room: &livekit.Room{Sid: "RM_1", Name: string(room.Name)}}
		if _, err := s.lk.SendWebhook(s.inside+"/sfu_webhook", event, s.flaws...); err != nil {
			s.t.Error(err)
		}
	}
}

// newFederationAPI returns the homeserver's Server-Server API. It answers with
// the homeserver's server name and program.
func (s *stack) newFederationAPI() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/_matrix/key/v2/server", answering(fmt.Sprintf(`{"server_name":%q}`, s.name)))
	mux.Handle("/_matrix/federation/v1/version", answering(fmt.Sprintf(`{"server":{"name":%q,"version":"1.2"}}`, s.kind)))
	mux.Handle("/", s.hs)
	return mux
}

// newClientAPI returns the homeserver's Client-Server API.
func (s *stack) newClientAPI() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/.well-known/matrix/client", s.wellKnown(matrixHost))
	mux.HandleFunc("/_matrix/client/versions", func(w http.ResponseWriter, _ *http.Request) {
		text, _ := json.Marshal(map[string]any{"versions": []string{"v1.11"}, "unstable_features": s.features})
		answering(string(text)).ServeHTTP(w, nil)
	})
	mux.HandleFunc("/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", s.withToken(adding("Access-Control-Allow-Origin", "*", s.transport)))
	mux.HandleFunc("/_matrix/client/v3/account/whoami", s.withToken(answering(`{"user_id":"`+userID+`","is_guest":false}`).ServeHTTP))
	mux.HandleFunc("/_matrix/client/v3/rooms/{room}/state/m.room.member/{user}", s.withToken(answering(`{"membership":"join"}`).ServeHTTP))
	mux.HandleFunc("/_matrix/client/v3/voip/turnServer", s.withToken(answering(`{"uris":["turn:turn.example.org"]}`).ServeHTTP))
	mux.HandleFunc("/_matrix/client/v3/user/{user}/openid/request_token", s.withToken(func(w http.ResponseWriter, _ *http.Request) {
		answering(fmt.Sprintf(`{"access_token":%q,"matrix_server_name":%q,"token_type":"Bearer","expires_in":3600}`, s.hs.IssueToken(userID), apexHost)).ServeHTTP(w, nil)
	}))
	mux.HandleFunc("/_matrix/client/v3/rooms/{room}/send/{type}/{txn}", s.withToken(func(w http.ResponseWriter, r *http.Request) {
		s.hs.Schedule(r.PathValue("txn"), time.Hour)
		answering(fmt.Sprintf(`{"delay_id":%q}`, r.PathValue("txn"))).ServeHTTP(w, nil)
	}))
	mux.Handle("/", s.hs)
	return mux
}

func (s *stack) withToken(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+userToken {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"errcode":"M_MISSING_TOKEN"}`)
			return
		}
		next(w, r)
	}
}

// participant is a participant in a room with one other participant.
type participant struct {
	s     *stack
	texts chan instruments.Message
}

var errNotJoined = errors.New("could not connect")

// join lets a participant into the room if their token has the form of a JWT.
// It returns an error if the test made joining fail.
func (s *stack) join(_ context.Context, url, ticket string) (instruments.Participant, error) {
	if s.closedTo != "" && strings.HasPrefix(url, s.closedTo) {
		return nil, errNotJoined
	}
	if strings.Count(ticket, ".") != 2 {
		return nil, errNotJoined
	}
	if s.joinErr != nil {
		return nil, s.joinErr
	}
	p := &participant{s, make(chan instruments.Message, 100)}
	inboxes.add(s, p.texts)
	return p, nil
}

func (p *participant) Media() instruments.Media { return p.s.media }

func (p *participant) Send(text string) error {
	if !p.s.silence {
		inboxes.send(p.s, text)
	}
	return nil
}

func (p *participant) Received() <-chan instruments.Message { return p.texts }
func (p *participant) Leave()                               {}
