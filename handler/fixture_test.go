package handler

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

const (
	homeserver = "example.org" // the operator named this server, and gave it full access
	stranger   = "remote.example"
)

// fakeVerifier accepts tokens of the form "user:<user id>". It refuses all
// other tokens with the cause in its field cause. If before is set, each
// verification calls it first. If before returns an error, fakeVerifier refuses
// the token.
type fakeVerifier struct {
	before func(ctx context.Context) error
	cause  matrix.Cause
}

func (v *fakeVerifier) Verify(ctx context.Context, t matrix.OpenIDToken, claimed matrix.UserID, _ netip.Prefix) (matrix.UserID, error) {
	if v.before != nil {
		if err := v.before(ctx); err != nil {
			return matrix.UserID{}, err
		}
	}
	id, ok := strings.CutPrefix(t.AccessToken.Reveal(), "user:")
	user, err := matrix.ParseUserID(id)
	switch {
	case !ok || err != nil:
		return matrix.UserID{}, &matrix.VerifyError{Cause: v.cause, Server: t.Server, Addr: "192.0.2.7:8448", Err: errors.New("status 401, errcode \"M_UNKNOWN_TOKEN\"")}
	case user.Server() != t.Server:
		return matrix.UserID{}, &matrix.VerifyError{Cause: matrix.CauseForeignSubject, Server: t.Server}
	case !claimed.IsZero() && claimed != user:
		return matrix.UserID{}, &matrix.VerifyError{Cause: matrix.CauseClaimedUser, Server: t.Server}
	}
	return user, nil
}

// fakeRooms is a fake SFU that records the rooms for which it is asked. If err
// is set, every call returns err.
type fakeRooms struct {
	mu    sync.Mutex
	rooms []sfu.Room
	err   error
}

func (f *fakeRooms) Ensure(_ context.Context, room sfu.Room) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rooms = append(f.rooms, room)
	return true, f.err
}

// grants is a fake Minter that records the grant and the ticket of the last
// token.
type grants struct {
	mu      sync.Mutex
	last    token.Grant
	carried ticket.Ticket
}

func (g *grants) Mint(grant token.Grant, carried ticket.Ticket, _ time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last, g.carried = grant, carried
	return "header.payload.signature"
}

// rig is a Handler without limits. Fakes stand for all servers that it asks.
type rig struct {
	*Handler
	*access.Authorizer
	verifier *fakeVerifier
	rooms    *fakeRooms
	grants   *grants
	log      *logtest.Log
}

func newRig() *rig {
	r := &rig{verifier: &fakeVerifier{cause: matrix.CauseStatus}, rooms: &fakeRooms{}, grants: &grants{}, log: &logtest.Log{}}
	isHome := func(s matrix.ServerName) bool { return s.String() == homeserver }
	r.Authorizer = &access.Authorizer{
		Verifier:   r.verifier,
		Rooms:      r.rooms,
		Minter:     r.grants,
		FullAccess: isHome,
		CanPublish: func(matrix.ServerName) bool { return true },
		Named:      isHome,
	}
	r.Handler = &Handler{
		Access:  r.Authorizer,
		URL:     "wss://sfu.example.org/path?a=b&c=<d>",
		Proxies: Proxies{Trusted: prefixes("127.0.0.0/8", "10.0.0.0/8")},
		Log:     slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Version: "1.2.3",
	}
	return r
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// serve calls the handler with one request, without a network, and returns the
// answer.
func (r *rig) serve(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	return r.serveContext(context.Background(), method, path, body, headers...)
}

func (r *rig) serveContext(ctx context.Context, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	if r.mux == nil {
		r.Routes()
	}
	req := httptest.NewRequestWithContext(ctx, method, "http://service.example"+path, strings.NewReader(body))
	req.RemoteAddr = "127.0.0.1:1234"
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, req)
	return w
}

// listen serves r on loopback and returns its URL.
func (r *rig) listen(t testing.TB) string {
	t.Helper()
	server := httptest.NewUnstartedServer(r.Routes())
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// sfuGetBody and getTokenBody return the bodies that Element Call sends.
func sfuGetBody(user string) string {
	_, server, _ := strings.Cut(user, ":")
	return `{"room":"!room:example.org","openid_token":{"access_token":"user:` + user +
		`","expires_in":3600,"matrix_server_name":"` + server + `","token_type":"Bearer"},"device_id":"DEVICE"}`
}

func getTokenBody(user string) string {
	_, server, _ := strings.Cut(user, ":")
	return `{"room_id":"!room:example.org","slot_id":"m.call#ROOM","openid_token":{"access_token":"user:` + user +
		`","expires_in":3600,"matrix_server_name":"` + server + `","token_type":"Bearer"},` +
		`"member":{"id":"xyzABCDEF0123","claimed_user_id":"` + user + `","claimed_device_id":"DEVICE"}}`
}

// badTokenBody returns a body with a token that no homeserver accepts.
func badTokenBody(server string) string {
	return `{"room":"!room:example.org","openid_token":{"access_token":"s3cret-token","matrix_server_name":"` +
		server + `"},"device_id":"DEVICE"}`
}

func post(t testing.TB, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

var testKey = sfu.Key{ID: "devkey", Secret: secret.New("0123456789abcdef0123456789abcdef")}

func scrape(m metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}
