package sfu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// silent returns a logger that drops a test server's complaints about bad
// clients.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// byLiveKit holds the names of those answers in TestAnswers that LiveKit itself
// sends. A proxy sends the other answers.
var byLiveKit = map[string]bool{"bad route": true, "proxy's password": true, "denied": true, "full": true}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		fault sfutest.Fault
		cause string
		text  string // a part of the error's text
	}{
		"no route":         {sfutest.Status(404), sfu.CauseNotFound, "/twirp"},
		"no method":        {sfutest.Status(405), sfu.CauseNotFound, "/twirp"},
		"bad route":        {sfutest.TwirpError("bad_route", "no handler"), sfu.CauseNotFound, "no handler"},
		"bad gateway":      {sfutest.Status(502), sfu.CauseStatus, "502"},
		"forbidden":        {sfutest.Status(403), sfu.CauseStatus, "403"},
		"proxy's password": {sfutest.Status(401), sfu.CauseUnauthorized, "API key"},
		"denied":           {sfutest.TwirpError("unauthenticated", "permissions denied"), sfu.CauseUnauthorized, "permissions denied"},
		"full":             {sfutest.TwirpError("resource_exhausted", "node limit"), sfu.CauseStatus, "resource_exhausted: node limit"},
		"unknown code":     {sfutest.Answer(500, "application/json", `{"code":"odd","msg":"m"}`), sfu.CauseStatus, "odd"},
		"long error page":  {sfutest.Answer(500, "text/html", long), sfu.CauseStatus, "500"},
		"page":             {sfutest.Answer(200, "text/html", "<html>"), sfu.CauseNotTwirp, "text/html"},
		"untyped":          {sfutest.Answer(200, "", "OK"), sfu.CauseNotTwirp, "LiveKit"},
		"json":             {sfutest.Answer(200, "application/json", "{}"), sfu.CauseNotTwirp, "application/json"},
		"garbage":          {sfutest.Garbage(), sfu.CauseNotTwirp, "protobuf"},
		"empty":            {sfutest.Answer(200, "application/protobuf", ""), sfu.CauseNotTwirp, `room ""`},
		"other room":       {sfutest.Answer(200, "application/protobuf", "\x12\x05other"), sfu.CauseNotTwirp, "other"},
		"too long":         {sfutest.Answer(200, "application/protobuf", long), sfu.CauseNotTwirp, "131072"},
		"redirect":         {sfutest.Redirect("https://other.example.org/"), sfu.CauseRedirect, "other.example.org"},
		"dropped":          {sfutest.Drop(), sfu.CauseConnect, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := start(t)
			server.FailAlways(c.fault)
			err := client.CreateRoom(t.Context(), "room")
			wantCause(t, err, c.cause)
			if e, ok := errors.AsType[*sfu.Error](err); ok && e.Answered != byLiveKit[name] {
				t.Errorf("Answered: got %t, want %t", e.Answered, byLiveKit[name])
			}
			for _, part := range []string{server.APIURL().String(), c.text} {
				if !strings.Contains(fmt.Sprint(err), part) {
					t.Errorf("got %v, want %q in it", err, part)
				}
			}
		})
	}
}

func TestUnauthorized(t *testing.T) {
	for name, c := range map[string]struct {
		key  sfu.Key
		text string
	}{
		"unknown key":  {sfu.Key{ID: "other", Secret: key.Secret}, "does not have our API key"},
		"other secret": {sfu.Key{ID: key.ID, Secret: secret.New("s3cr3t-that-nobody-knows")}, "secret of our API key"},
		"no secret":    {sfu.Key{ID: key.ID}, "API key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, server := start(t)
			err := sfu.NewClient(server.APIURL(), sfu.Always(c.key), httpClient(t)).CreateRoom(t.Context(), "room")
			wantCause(t, err, sfu.CauseUnauthorized)
			if !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("%s: got %v, want %q in it", name, err, c.text)
			}
			if !c.key.Secret.IsEmpty() && strings.Contains(fmt.Sprint(err), c.key.Secret.Reveal()) {
				t.Errorf("%s: got %v, want no secret in it", name, err)
			}
		})
	}
}

func TestClocksDiffer(t *testing.T) {
	client, server := start(t)
	server.FailNext(sfutest.Answer(401, "text/plain", "invalid token: x.y.z, error: token has invalid claims: token is expired"))
	err := client.CreateRoom(t.Context(), "room")
	wantCause(t, err, sfu.CauseUnauthorized)
	if !strings.Contains(fmt.Sprint(err), "clock") {
		t.Errorf("got %v, want the clock in it", err)
	}
}

// TestErrorsHideAPIToken checks that no error shows the API token, whatever the
// server answers, and however a program prints the error.
func TestErrorsHideAPIToken(t *testing.T) {
	echo := func(status int, contentType, format string) sfutest.Fault {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			sfutest.Answer(status, contentType, fmt.Sprintf(format, bearer(r)))(w, r, next)
		}
	}
	for name, fault := range map[string]sfutest.Fault{
		"LiveKit's 401": echo(401, "text/plain", "invalid token: %s, error: whatever"),
		"error message": echo(500, "application/json", `{"code":"internal","msg":"%s"}`),
		"cut message":   echo(500, "application/json", `{"code":"internal","msg":"`+strings.Repeat("x", 280)+`%s"}`),
		"unknown code":  echo(500, "application/json", `{"code":"%s","msg":"m"}`),
		"content type":  echo(200, "text/html", "%s"),
		"room name": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if path.Base(r.URL.Path) == "ListRooms" {
				next.ServeHTTP(w, r)
				return
			}
			body, _ := proto.Marshal(&livekit.Room{Name: bearer(r)})
			sfutest.Answer(200, "application/protobuf", string(body))(w, r, next)
		},
		"bad page": echo(502, "text/html", "%s"),
		"redirect": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			sfutest.Redirect("/?t="+bearer(r))(w, r, next)
		},
		"header garbage": garbageHeader,
	} {
		t.Run(name, func(t *testing.T) {
			client, server := start(t)
			var token string
			server.FailAlways(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				token = bearer(r)
				fault(w, r, next)
			})
			err := client.CreateRoom(t.Context(), "room")
			if err == nil {
				t.Fatal("got no error, want one")
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
				// The text must hold neither the beginning of the token nor the
				// part in which its signature begins.
				if text := fmt.Sprintf(verb, err); strings.Contains(text, token[len(token)-43:len(token)-33]) ||
					strings.Contains(text, token[:100]) {
					t.Errorf("%s: got %s, want no token in it", verb, text)
				}
			}
		})
	}
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// garbageHeader answers with the request's API token in a line that is no valid
// header.
func garbageHeader(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", bearer(r))
}

func TestForgedLines(t *testing.T) {
	client, server := start(t)
	server.FailNext(sfutest.TwirpError("internal", "a\nlevel=INFO msg=\"all is well\"\x1b[2J"+strings.Repeat("é", 1000)))
	err := client.CreateRoom(t.Context(), "room")
	wantCause(t, err, sfu.CauseStatus)
	if text := fmt.Sprint(err); strings.ContainsAny(text, "\n\x1b") || len(text) > 500 {
		t.Errorf("got %q, want at most 500 bytes in one line", text)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	client, server := start(t)
	_, other := start(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server.FailNext(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				http.Redirect(w, r, other.APIURL().String()+r.URL.Path, status)
			})
			wantCause(t, client.CreateRoom(t.Context(), "room"), sfu.CauseRedirect)
		})
	}
	if other.Connections() != 0 {
		t.Errorf("a redirect: got %d connections, want none", other.Connections())
	}
}

func TestConnections(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	api := func(scheme, host string) *url.URL { return &url.URL{Scheme: scheme, Host: host} }

	refused := sfu.NewClient(api("http", closed.Addr().String()), sfu.Always(key), httpClient(t))
	wantCause(t, refused.CreateRoom(t.Context(), "room"), sfu.CauseConnect)

	_, server := start(t)
	noTLS := sfu.NewClient(api("https", server.APIURL().Host), sfu.Always(key), httpClient(t))
	wantCause(t, noTLS.CreateRoom(t.Context(), "room"), sfu.CauseTLS)

	unknown := dialing(t, func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "sfu.example.org", IsNotFound: true}}
	})
	noName := sfu.NewClient(api("http", "sfu.example.org"), sfu.Always(key), unknown)
	wantCause(t, noName.CreateRoom(t.Context(), "room"), sfu.CauseDNS)
}

func TestPasswordInURL(t *testing.T) {
	_, server := start(t)
	server.FailAlways(sfutest.Status(502))
	api := server.APIURL()
	api.User = url.UserPassword("user", "hunter2")
	err := sfu.NewClient(api, sfu.Always(key), httpClient(t)).CreateRoom(t.Context(), "room")
	wantCause(t, err, sfu.CauseStatus)
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password: got %v, want no hunter2 in it", err)
	}
}

func TestCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sfutest.New(key)
		fake.FailAlways(sfutest.Hang())
		client, _ := inMemory(t, fake)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		for range 2 { // first the caller cancels during the call, then before the call
			wantCause(t, client.CreateRoom(ctx, "room"), sfu.CauseCanceled)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 {
			wantCause(t, client.CreateRoom(ctx, "room"), sfu.CauseTimeout)
		}
	})
}
