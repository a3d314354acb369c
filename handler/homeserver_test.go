package handler

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/matrix"
)

func (p *proxied) own(method, path, body string) *httptest.ResponseRecorder {
	return p.serve(method, "/_matrix/app/v1"+path, body, "Authorization", "Bearer "+hsToken)
}

// TestTheHomeserversOwnRequests checks the answers to requests that the
// homeserver itself makes (Application Service API).
func TestTheHomeserversOwnRequests(t *testing.T) {
	for _, tt := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"POST", "/ping", `{"transaction_id":"x"}`, 200, "{}"},
		{"POST", "/ping", ``, 200, "{}"},
		{"PUT", "/transactions/1", `{"events":[]}`, 200, "{}"},
		{"PUT", "/transactions/1", `not JSON`, 200, "{}"},
		{"PUT", "/transactions/1", ``, 200, "{}"},
		{"PUT", "/transactions/1", `{"events":{}}`, 200, "{}"},
		{"PUT", "/transactions/1", `[]`, 200, "{}"},
		{"PUT", "/transactions/1", `{"events":[1,null,"x",{"type":5}]}`, 200, "{}"},
		{"PUT", "/transactions/a%2Fb", `{}`, 200, "{}"},
		{"GET", "/users/@someone:example.org", ``, 404, "M_NOT_FOUND"},
		{"GET", "/rooms/%23alias:example.org", ``, 404, "M_NOT_FOUND"},
		{"GET", "/users/a/b", ``, 404, "M_NOT_FOUND"},
		{"GET", "/ping", ``, 405, "M_UNRECOGNIZED"},
	} {
		t.Run(tt.method+" "+tt.path+" "+tt.body, func(t *testing.T) {
			wantAnswer(t, newProxied(t).own(tt.method, tt.path, tt.body), tt.status, tt.answer)
		})
	}
	for _, route := range []string{"POST /ping", "PUT /transactions/1", "GET /users/@a:b", "GET /rooms/%23a:b"} {
		t.Run(route+" without the token", func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			p := newProxied(t)
			wantAnswer(t, p.serve(method, "/_matrix/app/v1"+path, "{}"), 401, "M_MISSING_TOKEN")
			wantAnswer(t, p.serve(method, "/_matrix/app/v1"+path, "{}", "Authorization", "Bearer wrong"), 403, "M_FORBIDDEN")
		})
	}
}

func memberEvent(room, user string) string {
	return fmt.Sprintf(`{"type":"m.room.member","room_id":%q,"state_key":%q,"content":{"membership":"ban","x":[{"y":"]}"}]}}`, room, user)
}

// TestTransactionsTellOfMemberships checks that the service reads all
// membership events of a transaction, and no other events.
func TestTransactionsTellOfMemberships(t *testing.T) {
	for _, tt := range []struct {
		name, body, want string
		missed           int32
	}{
		{"one", `{"events":[` + memberEvent("!a:b", "@c:d") + `]}`, "!a:b @c:d;", 0},
		{"among others", `{"events":[{"type":"m.room.message","room_id":"!a:b"},` + memberEvent("!a:b", "@c:d") + `,{}]}`, "!a:b @c:d;", 0},
		{"behind other members", `{"de.sorunome.msc2409.ephemeral":[{"a":[[]]}],"x":null,"y":1,"events":[` + memberEvent("!a:b", "@c:d") + `],"z":{}}`, "!a:b @c:d;", 0},
		{"two", `{"events":[` + memberEvent("!a", "@c:d") + "," + memberEvent("!b", "@é:d") + `]}`, "!a @c:d;!b @é:d;", 0},
		{"before the end is cut off", `{"events":[` + memberEvent("!a:b", "@c:d") + `,{"type":`, "!a:b @c:d;", 1},
		{"malformed names", `{"events":[` + memberEvent("a", "@c:d") + "," + memberEvent("!a", "c") + `]}`, "", 0},
		{"a message with the type's name in it", `{"events":[{"type":"x","content":{"type":"m.room.member","room_id":"!a","state_key":"@c:d"}}]}`, "", 0},
		{"no state", `{"events":[{"type":"m.room.member","room_id":"!a"}]}`, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxied(t)
			wantAnswer(t, p.own("PUT", "/transactions/7", tt.body), 200, "{}")
			got := ""
			for _, e := range p.events {
				got += e.Room.String() + " " + e.User.String() + ";"
			}
			if got != tt.want || p.missed.Load() != tt.missed {
				t.Errorf("got %q, missed %d, want %q, %d", got, p.missed.Load(), tt.want, tt.missed)
			}
		})
	}
}

// TestTransactionsAreAnsweredInTime checks two transactions over a real
// connection: one stops in the middle, and one never ends. Each must get an
// answer in time.
func TestTransactionsAreAnsweredInTime(t *testing.T) {
	p := newProxied(t)
	base := p.listen(t)
	for name, body := range map[string]io.Reader{
		"stalled": io.MultiReader(strings.NewReader(`{"events":[`+memberEvent("!a:b", "@c:d")+`,`), stall{t.Context().Done()}),
		"endless": io.MultiReader(strings.NewReader(`{"events":[`), io.LimitReader(endless(`{"type":"m.room.message"},`), 32<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "PUT", base+"/_matrix/app/v1/transactions/1", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+hsToken)
			start := time.Now()
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if took := time.Since(start); resp.StatusCode != 200 || took > 5*time.Second {
				t.Errorf("got %d after %v, want 200 at once", resp.StatusCode, took)
			}
		})
	}
}

// TestASlowTransactionIsReadToItsEnd checks a transaction that arrives slowly.
// It must get an answer in time. After the answer, the service must still read
// the events that arrive.
func TestASlowTransactionIsReadToItsEnd(t *testing.T) {
	p := newProxied(t)
	told := make(chan MemberEvent, 1)
	p.AppService.Members = func(e MemberEvent) { told <- e }
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.listen(t), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(text string) {
		t.Helper()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	start := time.Now()
	send("PUT /_matrix/app/v1/transactions/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + hsToken +
		"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(`{"events":[`))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if took := time.Since(start); resp.StatusCode != 200 || took > 5*time.Second {
		t.Errorf("got %d after %v, want 200 within a second", resp.StatusCode, took)
	}
	send(chunk(memberEvent("!a:b", "@c:d")+"]}") + "0\r\n\r\n")
	select {
	case e := <-told:
		if e.Room.String() != "!a:b" || e.User.String() != "@c:d" {
			t.Errorf("got the event %v, want one of @c:d in !a:b", e)
		}
	case <-time.After(5 * time.Second):
		t.Error("got no event of what came after the answer, want one")
	}
}

// stall is a reader that blocks until done is closed.
type stall struct{ done <-chan struct{} }

func (s stall) Read([]byte) (int, error) {
	<-s.done
	return 0, io.EOF
}

// endless is a reader that repeats a text without end.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e) <= len(p) {
		n += copy(p[n:], e)
	}
	if n == 0 {
		n = copy(p, e)
	}
	return n, nil
}

// TestSelfTestComesBack checks the answer to the self-test. The answer must
// prove that it is from this service. It must contain the user whom the
// homeserver named.
func TestSelfTestComesBack(t *testing.T) {
	p := newProxied(t)
	user, err := matrix.ParseUserID("@rtc:" + homeserver)
	if err != nil {
		t.Fatal(err)
	}
	w := p.client("/self-test/nonce1", user.String(), "{}")
	if want := string(appservice.AnswerLoop(p.AppService.HSToken, "nonce1", user)); w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s, want 200 %s", w.Code, w.Body, want)
	}
	wantAnswer(t, p.client("/self-test/nonce1", mallory, "{}"), 400, "M_INVALID_PARAM")
}

func FuzzTransaction(f *testing.F) {
	f.Add([]byte(`{"events":[` + memberEvent("!a:b", "@c:d") + `]}`))
	f.Add([]byte(`{"x":[{}],"events":[[],1,{"type":"m.room.member"}]}`))
	f.Add([]byte(`{"events":[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = readEvents(strings.NewReader(string(body)), func(e MemberEvent) {
			if e.Room.String() == "" || e.User.IsZero() {
				t.Errorf("got the event %v, want one with a room and a user", e)
			}
		})
	})
}

func FuzzProxiedBody(f *testing.F) {
	f.Add([]byte(newerBody))
	f.Add([]byte(olderBody))
	f.Add([]byte(federated(mallory)))
	user, err := matrix.ParseUserID(alice)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ask, err := decodeProxied(body)
		if err != nil {
			return
		}
		if ask.url == "" || ask.what.Room.String() == "" || ask.what.As.Member.String() == "" {
			t.Errorf("%q: got %+v, want an error: a required field is missing", body, ask)
		}
		again, whose, err := decodeFederated(ask.forRemote(user))
		if err != nil || whose != user.String() || again.what.As != ask.what.As || again.what.Room != ask.what.Room {
			t.Errorf("%q: what is sent to another homeserver: got %+v, %v, want the same of %s: %+v", body, again, err, user, ask)
		}
	})
}

// FuzzProxiedHeaders checks requests with any headers that a stranger could
// send. The service must accept only a user of the configured server.
func FuzzProxiedHeaders(f *testing.F) {
	f.Add("Bearer "+hsToken, alice)
	f.Add("Bearer "+hsToken, mallory)
	f.Add("bearer "+hsToken, "@alice:example.org\x00")
	f.Add(hsToken, "")
	f.Fuzz(func(t *testing.T, authorization, user string) {
		p := newProxied(t)
		p.members.joined = nil
		w := p.serve("POST", clientAPI+"/get_token", newerBody, "Authorization", authorization, "X-Matrix-User-Identifier", user)
		switch parsed, err := matrix.ParseUserID(user); {
		case w.Code == 404 || w.Code == 401 || w.Code == 200:
			t.Errorf("%q %q: got the status %d, want another one", authorization, user, w.Code)
		case len(p.members.asked) > 0 && (authorization != "Bearer "+hsToken || err != nil || parsed.Server().String() != homeserver):
			t.Errorf("%q %q: got the question who is joined, want a refusal before it", authorization, user)
		}
	})
}
