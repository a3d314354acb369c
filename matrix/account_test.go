package matrix_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// accountAt returns an Account that asks as one of s's users.
func accountAt(t *testing.T, s *matrixtest.Server) *matrix.Account {
	t.Helper()
	_, api, _ := reached(t, s)
	api.APIs.NamedTransport.MaxResponseBytes = matrix.MaxMembersBytes
	token := secret.New(s.Login(s.UserID("rtc")))
	return &matrix.Account{Server: s.Name(), APIs: api.APIs, Token: func() secret.Text { return token }}
}

// members returns the users who are joined to room, as the account sees them.
func members(t *testing.T, a *matrix.Account, room string) ([]string, error) {
	t.Helper()
	var all []string
	err := a.EachJoined(t.Context(), matrixtest.RoomID(t, room), func(user string) { all = append(all, user) })
	slices.Sort(all)
	return all, err
}

func TestEachJoined(t *testing.T) {
	s := matrixtest.NewServer()
	defer s.Close()
	a := accountAt(t, s)
	var heard []error
	a.Observe = func(err error) { heard = append(heard, err) }
	want := []string{"@Ünï:b.test", "@alice:b.test", s.UserID("rtc")}
	slices.Sort(want)
	for _, user := range want {
		s.Join("!room:b.test", user)
	}
	s.Join("!open:b.test", "@alice:b.test")
	s.OpenToAll("!open:b.test")
	s.Join("!closed:b.test", "@alice:b.test")
	if got, err := members(t, a, "!room:b.test"); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if a.Self().String() != s.UserID("rtc") {
		t.Errorf("Self: got %s, want %s", a.Self(), s.UserID("rtc"))
	}
	for _, room := range []string{"!open:b.test", "!closed:b.test", "!nobody:has.this"} {
		t.Run(room, func(t *testing.T) {
			if _, err := members(t, a, room); !errors.Is(err, matrix.ErrNotInRoom) {
				t.Errorf("%s: %v, want that the account is not in it", room, err)
			}
		})
	}
	if len(heard) != 4 || heard[0] != nil || !errors.Is(heard[3], matrix.ErrNotInRoom) {
		t.Errorf("observed: got %v, want nil first and that the account is not in the room last, of 4", heard)
	}
	for _, r := range s.Requests() {
		if r.URL.RawQuery != "" || r.Header.Get("Authorization") != "Bearer "+a.Token().Reveal() {
			t.Errorf("%s: got the header %q, want the access token there and nowhere else", r.URL, r.Header["Authorization"])
		}
	}
}

// TestOnlyAListIsAnAnswer checks that EachJoined returns an error for every
// answer except a 200 with the complete list, and that the error says why.
func TestOnlyAListIsAnAnswer(t *testing.T) {
	s := matrixtest.NewServer()
	defer s.Close()
	self := `"` + s.UserID("rtc") + `":{}`
	for _, tt := range []struct {
		name   string
		status int
		body   string
		cause  matrix.Cause // the cause of the error; "" for ErrNotInRoom
	}{
		{"not JSON", 200, "joined", matrix.CauseNotJSON},
		{"nothing", 200, "", matrix.CauseProtocol},
		{"no list", 200, "{}", matrix.CauseNotJSON},
		{"a list of another kind", 200, `{"joined":[` + `"` + s.UserID("rtc") + `"]}`, matrix.CauseNotJSON},
		{"two lists", 200, `{"joined":{` + self + `},"joined":{}}`, matrix.CauseNotJSON},
		{"cut off", 200, `{"joined":{` + self, matrix.CauseProtocol},
		{"cut off at the end", 200, `{"joined":{` + self + `}`, matrix.CauseProtocol},
		{"more behind it", 200, `{"joined":{` + self + `}}{}`, matrix.CauseNotJSON},
		{"another page", 200, `<html>`, matrix.CauseNotJSON},
		{"a list of others", 200, `{"joined":{"@a:b":{}}}`, ""},
		{"a huge member", 200, `{"joined":{` + self + `,"@a:b":{"display_name":"` + strings.Repeat("x", 200<<10) + `"}}}`, matrix.CauseTooLarge},
		{"something huge beside it", 200, `{"x":"` + strings.Repeat("x", 200<<10) + `","joined":{` + self + `}}`, matrix.CauseTooLarge},
		{"201", 201, `{"joined":{` + self + `}}`, matrix.CauseStatus},
		{"refused", 403, `{"errcode":"M_FORBIDDEN"}`, ""},
		{"not found", 404, `{"errcode":"M_NOT_FOUND"}`, ""},
		{"a proxy refuses", 403, `<html>`, matrix.CauseStatus},
		{"suspended", 403, `{"errcode":"M_USER_SUSPENDED"}`, matrix.CauseStatus},
		{"a wrong address", 404, `<html>`, matrix.CauseStatus},
		{"logged out", 401, `{"errcode":"M_UNKNOWN_TOKEN"}`, matrix.CauseStatus},
		{"trouble", 502, `<html>`, matrix.CauseTrouble},
		{"a redirect", 302, ``, matrix.CauseStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := accountAt(t, s)
			s.ScriptMembers(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			_, err := members(t, a, "!room:a.test")
			e, ok := errors.AsType[*matrix.AccountError](err)
			switch {
			case tt.cause == "" && !errors.Is(err, matrix.ErrNotInRoom):
				t.Errorf("EachJoined: got %v, want ErrNotInRoom", err)
			case tt.cause != "" && (!ok || e.Cause != tt.cause || e.Status != tt.status && tt.cause != matrix.CauseProtocol):
				t.Errorf("got %+v, want %s", err, tt.cause)
			case ok && e.IsTokenRefused() != (tt.status == 401):
				t.Errorf("%v: IsTokenRefused: got %v, want %v", err, e.IsTokenRefused(), tt.status == 401)
			}
		})
	}
}

// TestMembersBeside checks that EachJoined ignores other fields in the
// homeserver's answer.
func TestMembersBeside(t *testing.T) {
	s := matrixtest.NewServer()
	defer s.Close()
	s.ScriptMembers(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"x":[{"joined":{"@x:x":{}}}],"joined":{%q:{"joined":1},"@a:b":null},"y":"z"}`, s.UserID("rtc"))
	})
	if got, err := members(t, accountAt(t, s), "!room:a.test"); err != nil || len(got) != 2 || got[0] != "@a:b" {
		t.Errorf("got %q, %v, want the account and @a:b", got, err)
	}
}

// TestNewToken checks that the account calls its function Token for each
// request. If the token is new, the account must ask the homeserver to which
// user it belongs.
func TestNewToken(t *testing.T) {
	s := matrixtest.NewServer()
	defer s.Close()
	a := accountAt(t, s)
	s.Join("!room:a.test", s.UserID("rtc"))
	s.Join("!room:a.test", s.UserID("new"))
	if _, err := members(t, a, "!room:a.test"); err != nil {
		t.Fatal(err)
	}
	old, next := a.Token().Reveal(), secret.New(s.Login(s.UserID("new")))
	s.Logout(old)
	if _, err := members(t, a, "!room:a.test"); !isRefused(err) {
		t.Errorf("after a log-out: %v, want that the token is refused", err)
	}
	a.Token = func() secret.Text { return next }
	if _, err := members(t, a, "!room:a.test"); err != nil || a.Self().String() != s.UserID("new") {
		t.Errorf("with a new token: got %v as %s, want no error as %s", err, a.Self(), s.UserID("new"))
	}
}

func isRefused(err error) bool {
	e, ok := errors.AsType[*matrix.AccountError](err)
	return ok && e.IsTokenRefused()
}

// TestQuiet checks a homeserver that answers 429 with a Retry-After. Until the
// time in Retry-After is over, the account must not ask the homeserver again.
func TestQuiet(t *testing.T) {
	s := matrixtest.NewServer()
	defer s.Close()
	a := accountAt(t, s)
	s.Join("!room:a.test", s.UserID("rtc"))
	s.ScriptMembers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	for range 3 {
		_, err := members(t, a, "!room:a.test")
		if e, ok := errors.AsType[*matrix.AccountError](err); !ok || e.Cause != matrix.CauseLimited || e.Status != http.StatusTooManyRequests {
			t.Errorf("got %v, want a limit", err)
		}
	}
	if n := s.MembersAsked(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

// TestSilentHomeserver checks a homeserver that stops answering in the middle
// of a list. When the caller's time ends, the error must have the cause
// CauseTimeout.
func TestSilentHomeserver(t *testing.T) {
	s := matrixtest.NewServer()
	defer s.Close()
	a := accountAt(t, s)
	s.ScriptMembers(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"joined":{%q:{}`, s.UserID("rtc"))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := a.EachJoined(ctx, matrixtest.RoomID(t, "!room:a.test"), func(string) {})
	if e, ok := errors.AsType[*matrix.AccountError](err); !ok || e.Cause != matrix.CauseTimeout {
		t.Errorf("got %v, want that there was no answer in time", err)
	}
}
