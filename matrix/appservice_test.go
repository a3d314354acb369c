package matrix_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

const asToken = "as-token-as-token-as-token-as-token"

// registered starts a homeserver on loopback, and registers this service there.
func registered(t *testing.T) (*matrixtest.Server, *matrix.AppService, *http.Client) {
	t.Helper()
	s := matrixtest.NewServer()
	t.Cleanup(s.Close)
	s.Register(matrixtest.Registered{
		ID: "matrixrtc-auth", ASToken: asToken, HSToken: "hs-token", SenderLocalpart: "rtc", Server: s.Name().String(),
	})
	return reached(t, s)
}

// reached returns three values: s itself, an AppService that asks s, and an
// HTTP client that can connect to s.
func reached(t testing.TB, s *matrixtest.Server) (*matrixtest.Server, *matrix.AppService, *http.Client) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CACert())
	transport := &outbound.Transport{TLS: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	base, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	api := &matrix.AppService{Server: s.Name(), Token: secret.New(asToken), APIs: &matrix.ClientAPIs{
		Overrides: map[matrix.ServerName]*url.URL{s.Name(): base},
		Servers:   matrix.Servers{Named: func(matrix.ServerName) bool { return true }, NamedTransport: transport},
	}}
	return s, api, &http.Client{Transport: transport}
}

func TestTheFakeKeepsTheContract(t *testing.T) {
	s, api, client := registered(t)
	other := matrixtest.NewServer(matrixtest.SignedBy(s.CA()))
	defer other.Close()
	ours, theirs := matrixtest.NewApplication(), matrixtest.NewApplication()
	defer ours.Close()
	defer theirs.Close()
	const id, hsToken, answerTime = "matrixrtc-auth", "hs-token", 200 * time.Millisecond
	s.Register(matrixtest.Registered{ID: id, ASToken: asToken, HSToken: hsToken, SenderLocalpart: "rtc", Server: s.Name().String(), ProxyURL: ours.URL, URL: ours.URL})
	s.AnswerTime, s.Route = answerTime, client.Transport
	s.Federation = func(server string) (string, bool) { return other.URL(), server == other.Name().String() }
	other.Register(matrixtest.Registered{Server: other.Name().String(), ProxyURL: theirs.URL})
	const room = "!room:a.test"
	local, remote := s.UserID("alice"), other.UserID("bob")
	s.Join(room, local)
	s.Join(room, remote)
	left := s.UserID("left")
	s.Join(room, left)
	s.Leave(room, left)
	s.Join("!open:a.test", local)
	s.OpenToAll("!open:a.test")
	c := &matrixtest.Contract{
		API: api, BaseURL: s.URL(), Client: client,
		Room: matrixtest.RoomID(t, room), UnknownRoom: matrixtest.RoomID(t, "!nobody-has-this:a.test"),
		Local: matrixtest.UserID(t, local), Remote: matrixtest.UserID(t, remote), Left: matrixtest.UserID(t, left),
		Invited: matrixtest.UserID(t, s.UserID("invited")), Banned: matrixtest.UserID(t, s.UserID("banned")),
		OpenRoom:   matrixtest.RoomID(t, "!open:a.test"),
		LocalToken: s.Login(local), LeftToken: s.Login(left), InvitedToken: s.Login(s.UserID("invited")), BannedToken: s.Login(s.UserID("banned")),
		Elsewhere:   matrixtest.ServerName(t, "c.test"),
		Application: ours, ID: id, HSToken: hsToken, RemoteApplication: theirs, AnswerTime: answerTime,
	}
	c.Run(t)
}

// TestARoomWithoutOurServer checks a room that our homeserver is not in. Nobody
// counts as joined to such a room.
func TestARoomWithoutOurServer(t *testing.T) {
	s, api, _ := registered(t)
	s.Join("!room:b.test", "@bob:b.test")
	if joined, err := api.IsJoined(t.Context(), matrixtest.RoomID(t, "!room:b.test"), matrixtest.UserID(t, "@bob:b.test")); joined || err != nil {
		t.Errorf("IsJoined = %v, %v, want false", joined, err)
	}
}

// TestOnlyAnAnswerIsAnAnswer checks that IsJoined returns an error for every
// answer except 200 {"joined": bool}.
func TestOnlyAnAnswerIsAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		cause  matrix.Cause
	}{
		{"not JSON", 200, "joined", matrix.CauseNotJSON},
		{"no member", 200, "{}", matrix.CauseNotJSON},
		{"null", 200, `{"joined":null}`, matrix.CauseNotJSON},
		{"a string", 200, `{"joined":"true"}`, matrix.CauseNotJSON},
		{"a number", 200, `{"joined":1}`, matrix.CauseNotJSON},
		{"another name", 200, `{"Joined":true}`, matrix.CauseNotJSON},
		{"a list", 200, `[true]`, matrix.CauseNotJSON},
		{"201", 201, `{"joined":true}`, matrix.CauseStatus},
		{"404", 404, `{"errcode":"M_NOT_FOUND","joined":true}`, matrix.CauseStatus},
		{"unrecognized", 404, `{"errcode":"M_UNRECOGNIZED"}`, matrix.CauseStatus},
		{"429", 429, `{"errcode":"M_LIMIT_EXCEEDED"}`, matrix.CauseStatus},
		{"500", 500, `<html>`, matrix.CauseStatus},
		{"a redirect", 302, ``, matrix.CauseStatus},
		{"too large", 200, `{"joined":true,"x":"` + strings.Repeat("x", 70<<10) + `"}`, matrix.CauseTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, api, _ := registered(t)
			s.ScriptMembership(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://127.0.0.1:1/")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			joined, err := api.IsJoined(t.Context(), matrixtest.RoomID(t, "!r:a.test"), matrixtest.UserID(t, s.UserID("alice")))
			e, ok := errors.AsType[*matrix.AppServiceError](err)
			if joined || !ok || e.Cause != tt.cause {
				t.Errorf("IsJoined = %v, %v, want the cause %s", joined, err, tt.cause)
			}
			if err != nil && strings.Contains(err.Error(), asToken) {
				t.Errorf("got the error %v, want the token not in it", err)
			}
		})
	}
}

// TestTheParameterToCome checks that the service sends the parameter user_id
// only if the homeserver does not know the parameter mxid. Older homeservers
// read user_id as "act as this user".
func TestTheParameterToCome(t *testing.T) {
	for name, newest := range map[string]bool{"today": false, "newest text": true} {
		t.Run(name, func(t *testing.T) {
			s, api, _ := registered(t)
			var queries []string
			s.ScriptMembership(func(w http.ResponseWriter, r *http.Request) {
				queries = append(queries, r.URL.RawQuery)
				if newest && !r.URL.Query().Has("user_id") {
					w.WriteHeader(400)
					io.WriteString(w, `{"errcode":"M_MISSING_PARAM"}`)
					return
				}
				io.WriteString(w, `{"joined":true}`)
			})
			joined, err := api.IsJoined(t.Context(), matrixtest.RoomID(t, "!r:a.test"), matrixtest.UserID(t, s.UserID("alice")))
			if !joined || err != nil {
				t.Errorf("IsJoined = %v, %v, want true", joined, err)
			}
			if got := strings.Contains(strings.Join(queries, " "), "user_id"); got != newest {
				t.Errorf("queries: got %q, want user_id among them: %v", queries, newest)
			}
		})
	}
}

func TestIsJoinedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		w.Serve("a.test:443", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		api := &matrix.AppService{Server: matrixtest.ServerName(t, "a.test"), APIs: &matrix.ClientAPIs{
			Servers: w.resolver.Servers,
		}}
		start := time.Now()
		_, err := api.IsJoined(t.Context(), matrixtest.RoomID(t, "!r:a.test"), matrixtest.UserID(t, "@alice:a.test"))
		if took := time.Since(start); err == nil || took > 10*time.Second {
			t.Errorf("err = %v after %v, want one within 10 s", err, took)
		}
	})
}

// TestTheBaseURLComesFromTheWellKnown checks that the service sends the
// as_token only to the base URL in the server's well-known document. If the
// service cannot fetch this document again, it goes on with the last base URL.
func TestTheBaseURLComesFromTheWellKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a.test")
		var fetched int
		w.Serve("a.test:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Errorf("the apex got Authorization %q, want none", r.Header.Get("Authorization"))
			}
			fetched++
			if fetched > 1 {
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			json.NewEncoder(rw).Encode(map[string]any{"m.homeserver": map[string]string{"base_url": "https://m.test/"}})
		}))
		w.Serve("m.test:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+asToken {
				t.Errorf("got Authorization %q, want the as_token", r.Header.Get("Authorization"))
			}
			io.WriteString(rw, `{"joined":true}`)
		}))
		api := &matrix.AppService{Server: matrixtest.ServerName(t, "a.test"), Token: secret.New(asToken), APIs: &matrix.ClientAPIs{
			Servers: w.resolver.Servers,
		}}
		// The first request fetches the document. At the second request, the
		// document has expired, and the service cannot fetch it again.
		for range 2 {
			if joined, err := api.IsJoined(t.Context(), matrixtest.RoomID(t, "!r:a.test"), matrixtest.UserID(t, "@alice:a.test")); !joined || err != nil {
				t.Errorf("IsJoined = %v, %v, want true", joined, err)
			}
			time.Sleep(2 * time.Hour)
		}
		if fetched != 2 {
			t.Errorf("the document was fetched %d times, want 2", fetched)
		}
	})
}

// TestRemoteTokenTriesBothPaths checks that the service tries the path with the
// MSC's prefix first. If this path does not exist, the service tries the path
// without the prefix.
func TestRemoteTokenTriesBothPaths(t *testing.T) {
	s, api, _ := registered(t)
	var paths []string
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "unstable") {
			w.WriteHeader(404)
			io.WriteString(w, `{"errcode":"M_UNRECOGNIZED"}`)
			return
		}
		io.WriteString(w, `{"jwt":"x"}`)
	}))
	defer remote.Close()
	s.Federation = func(server string) (string, bool) { return remote.URL, server == "b.test" }
	content, err := api.RemoteToken(t.Context(), matrixtest.ServerName(t, "b.test"), json.RawMessage(`{"a":1}`))
	if string(content) != `{"jwt":"x"}` || err != nil {
		t.Errorf("RemoteToken: got %s, %v, want the other server's answer", content, err)
	}
	want := "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token /_matrix/federation/v1/rtc/livekit/get_token"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("paths %s, want %s", got, want)
	}
	if _, err := api.RemoteToken(t.Context(), matrixtest.ServerName(t, "nowhere.test"), json.RawMessage(`{}`)); err == nil {
		t.Error("a server that nobody reaches: got no error, want one")
	}
}

// TestSwitchedOffFeatures checks the errors at a Synapse on which the operator
// has not switched on MSC4502 and MSC4512. These errors must differ from the
// errors after a wrong token.
func TestSwitchedOffFeatures(t *testing.T) {
	s, api, _ := registered(t)
	s.Register(matrixtest.Registered{ASToken: asToken, Server: s.Name().String(), MembershipOff: true, FederationOff: true})
	_, err := api.IsJoined(t.Context(), matrixtest.RoomID(t, "!r:a.test"), matrixtest.UserID(t, s.UserID("alice")))
	if e, ok := errors.AsType[*matrix.AppServiceError](err); !ok || e.Status != http.StatusNotFound || e.ErrCode != "M_UNRECOGNIZED" {
		t.Errorf("IsJoined: got %v, want 404 M_UNRECOGNIZED", err)
	}
	err = api.CanFederate(t.Context())
	if e, ok := errors.AsType[*matrix.AppServiceError](err); !ok || e.Status != http.StatusNotFound || e.ErrCode != "M_UNRECOGNIZED" {
		t.Errorf("CanFederate: got %v, want 404 M_UNRECOGNIZED", err)
	}
}
