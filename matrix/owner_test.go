package matrix_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// owning returns a homeserver at which this service is registered, and a
// DelayedEvents that acts as the homeserver's users.
func owning(t *testing.T) (*matrixtest.Server, *matrix.DelayedEvents) {
	t.Helper()
	s, api, _ := registered(t)
	return s, &matrix.DelayedEvents{APIs: api.APIs, AppService: api}
}

// TestEventsAreManagedAsTheirOwner checks a homeserver that lets only the owner
// manage a delayed event. This service must act as the owner.
func TestEventsAreManagedAsTheirOwner(t *testing.T) {
	s, events := owning(t)
	s.RequireToken(true)
	alice := matrixtest.UserID(t, s.UserID("alice"))
	for name, action := range map[string]func(matrix.DelayID) error{
		"restart": func(id matrix.DelayID) error { return events.Restart(t.Context(), alice, id) },
		"send":    func(id matrix.DelayID) error { return events.Send(t.Context(), alice, id) },
		"cancel":  func(id matrix.DelayID) error { return events.Cancel(t.Context(), alice, id) },
	} {
		t.Run(name, func(t *testing.T) {
			s.ScheduleFor(alice.String(), "!r:a.test", name, time.Hour)
			if err := action(delayID(t, name)); err != nil {
				t.Errorf("%s: got %v, want no error", name, err)
			}
		})
	}
}

// TestCredentialsGoToOneServer checks that the service sends the as_token and
// the owner's id only to the homeserver at which it is registered.
func TestCredentialsGoToOneServer(t *testing.T) {
	s, events := owning(t)
	other := matrixtest.NewServer(matrixtest.SignedBy(s.CA()))
	defer other.Close()
	base := *events.APIs.Overrides[s.Name()]
	base.Host = strings.TrimPrefix(other.URL(), "https://")
	events.APIs.Overrides[other.Name()] = &base
	other.Schedule("d", time.Hour)
	if err := events.Restart(t.Context(), matrixtest.UserID(t, other.UserID("bob")), delayID(t, "d")); err != nil {
		t.Fatal(err)
	}
	for _, r := range other.Requests() {
		if r.Header.Get("Authorization") != "" || r.URL.RawQuery != "" {
			t.Errorf("another homeserver: got %q and ?%s, want no token and no user", r.Header.Get("Authorization"), r.URL.RawQuery)
		}
	}
	if events.Authenticates(other.Name()) || !events.Authenticates(s.Name()) {
		t.Errorf("Authenticates: got %v of %s and %v of %s, want true of the registration's homeserver alone",
			events.Authenticates(s.Name()), s.Name(), events.Authenticates(other.Name()), other.Name())
	}
}

// TestRefusedCredentialsSayNothingOfTheEvent checks a homeserver that does not
// let this service act as the user who owns a delayed event. Its refusal does
// not show whether the event exists. So the service repeats the request without
// credentials, and returns the result of the second request. The service must
// tell the operator once that it cannot act as the user.
func TestRefusedCredentialsSayNothingOfTheEvent(t *testing.T) {
	for _, tt := range []struct {
		name        string
		with        int
		withCode    string
		without     int
		withoutCode string
		want        matrix.Result
		tries       int
		told        int
	}{
		{"cannot masquerade", 403, "M_FORBIDDEN", 200, "", matrix.ResultDone, 2, 1},
		{"the owner has left", 403, "M_FORBIDDEN", 403, "M_FORBIDDEN", matrix.ResultForbidden, 2, 0},
		{"wrong as_token", 401, "M_UNKNOWN_TOKEN", 200, "", matrix.ResultDone, 2, 1},
		{"wrong as_token, and one is required", 401, "M_UNKNOWN_TOKEN", 401, "M_MISSING_TOKEN", matrix.ResultNeedsToken, 2, 1},
		{"gone", 404, "M_NOT_FOUND", 200, "", matrix.ResultGone, 1, 0},
		{"trouble", 500, "M_UNKNOWN", 200, "", matrix.ResultFailed, 1, 0},
		{"limited", 429, "M_LIMIT_EXCEEDED", 200, "", matrix.ResultLimited, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, events := owning(t)
			told, tries := 0, 0
			events.NotOwner = func(matrix.UserID, error) { told++ }
			s.ScriptDelayed(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
				tries++
				status, code := tt.without, tt.withoutCode
				if r.Header.Get("Authorization") != "" {
					status, code = tt.with, tt.withCode
				}
				w.WriteHeader(status)
				io.WriteString(w, `{"errcode":"`+code+`"}`)
				return true
			})
			for range 2 {
				tries = 0
				err := events.Send(t.Context(), matrixtest.UserID(t, s.UserID("alice")), delayID(t, "d"))
				if got := matrix.ResultOf(err); got != tt.want || tries != tt.tries {
					t.Errorf("got %s (%v) after %d tries, want %s after %d", got, err, tries, tt.want, tt.tries)
				}
			}
			if told != tt.told {
				t.Errorf("the operator was told %d times, want %d", told, tt.told)
			}
		})
	}
}

// TestOneRefusedOwnerIsNotAllOfThem checks a homeserver that requires
// authentication. An owner has left the room, so the homeserver refuses to
// manage this owner's events, even with the as_token. This must not affect the
// leaves of other owners.
func TestOneRefusedOwnerIsNotAllOfThem(t *testing.T) {
	s, events := owning(t)
	s.ScriptDelayed(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"errcode":"M_FORBIDDEN"}`)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"errcode":"M_MISSING_TOKEN"}`)
		}
		return true
	})
	if err := events.Send(t.Context(), matrixtest.UserID(t, s.UserID("alice")), delayID(t, "d")); matrix.ResultOf(err) != matrix.ResultNeedsToken {
		t.Errorf("got %v, want that a token is needed", err)
	}
	if err := events.Manageable(t.Context(), s.Name()); err != nil {
		t.Errorf("afterwards: %v, want that events of others can be managed", err)
	}
}

func TestLookUp(t *testing.T) {
	s, events := owning(t)
	alice, bob := matrixtest.UserID(t, s.UserID("alice")), matrixtest.UserID(t, s.UserID("bob"))
	s.ScheduleFor(alice.String(), "!r:a.test", "d", time.Hour)
	got, err := events.LookUp(t.Context(), alice, delayID(t, "d"))
	if want := (matrix.DelayedEvent{Room: "!r:a.test", Delay: time.Hour}); got != want || err != nil {
		t.Errorf("LookUp = %v, %v, want %v", got, err, want)
	}
	for name, look := range map[string]func() (matrix.DelayedEvent, error){
		"another user's": func() (matrix.DelayedEvent, error) { return events.LookUp(t.Context(), bob, delayID(t, "d")) },
		"unknown":        func() (matrix.DelayedEvent, error) { return events.LookUp(t.Context(), alice, delayID(t, "e")) },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := look(); matrix.ResultOf(err) != matrix.ResultGone {
				t.Errorf("%s: %v, want it gone", name, err)
			}
		})
	}
	if _, err := events.LookUp(t.Context(), matrixtest.UserID(t, "@carol:elsewhere.test"), delayID(t, "d")); matrix.ResultOf(err) != matrix.ResultFailed {
		t.Errorf("of a user of another server: %v, want a failure", err)
	}
}

// TestLookUpAnswers checks that LookUp finds the delay in the homeserver's
// answer, in the field delay_ms or in the field delay. It also checks answers
// that are not valid.
func TestLookUpAnswers(t *testing.T) {
	for _, tt := range []struct {
		body string
		want time.Duration // the delay; 0 if there is an error
	}{
		{`{"room_id":"!r:a","delay_ms":18000}`, 18 * time.Second},
		{`{"room_id":"!r:a","delay":18000}`, 18 * time.Second},
		{`{"room_id":"!r:a","delay_ms":9223372036854775807}`, 9223372036854 * time.Millisecond},
		{`{"room_id":"!r:a"}`, 0},
		{`{"room_id":"!r:a","delay_ms":-1}`, 0},
		{`{"room_id":"!r:a","delay_ms":"18000"}`, 0},
		{`{"delay_ms":18000}`, 0},
		{`[]`, 0},
		{``, 0},
	} {
		t.Run(tt.body, func(t *testing.T) {
			got, err := lookUpAnswer(t, tt.body)
			if got.Delay != tt.want || (err == nil) != (tt.want != 0) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// lookUpAnswer looks up an event at a homeserver that answers with body, and
// returns the result.
func lookUpAnswer(t *testing.T, body string) (matrix.DelayedEvent, error) {
	t.Helper()
	w := newWorld(t, "a.test")
	w.Serve("a.test:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/versions"):
			io.WriteString(rw, `{"versions":["v1.11"],"unstable_features":`+delaysEvents+`}`)
		case strings.Contains(r.URL.Path, "delayed_events"):
			io.WriteString(rw, body)
		default:
			rw.WriteHeader(404)
		}
	}))
	api := &matrix.AppService{Server: matrixtest.ServerName(t, "a.test"), Token: secret.New(asToken), APIs: &matrix.ClientAPIs{
		Servers: w.resolver.Servers,
	}}
	events := &matrix.DelayedEvents{APIs: api.APIs, AppService: api}
	event, err := events.LookUp(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d"))
	if _, ok := errors.AsType[*matrix.DelayError](err); err != nil && !ok {
		t.Errorf("err = %T, want a *DelayError", err)
	}
	return event, err
}
