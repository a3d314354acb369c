package doctor_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/internal/command/commandtest"
)

// TestInterruptedSchedule interrupts a run while doctor schedules an event.
// doctor must cancel the event nevertheless.
func TestInterruptedSchedule(t *testing.T) {
	s := newStack(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var scheduled, cancelled atomic.Int32
	s.client = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/send/") {
				scheduled.Add(1)
				interrupt()
			}
			if isCancel(r) {
				cancelled.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	}
	var out bytes.Buffer
	args := []string{"--user", userID, "--token-file", "/token", "--room", s.options.Room}
	if code := commandtest.Run(ctx, doctor.Command(s.load, s.look()), args, strings.NewReader(""), &out, &out); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if scheduled.Load() != 1 || cancelled.Load() != 1 {
		t.Errorf("got %d events scheduled and %d cancelled, want one of each\n%s", scheduled.Load(), cancelled.Load(), out.String())
	}
}

// isCancel reports whether r cancels an event that was scheduled. Doctor also
// sends cancellations of an event that does not exist, to test the route.
func isCancel(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/cancel") && !strings.Contains(r.URL.Path, nobodysEvent)
}

// TestCancelling checks that doctor tries twice to cancel its event. If both
// tries fail, the finding must say that the homeserver will send the event.
func TestCancelling(t *testing.T) {
	for name, test := range map[string]struct {
		refusals    int32
		cause, seen string
	}{
		"one refusal":  {1, "", "scheduled in !room:example.org and cancelled"},
		"two refusals": {2, "delayed-events-limited", "the event will be sent to !room:example.org in 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			var asked atomic.Int32
			s.client = func(next http.Handler) http.Handler {
				limit := matrixError(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED")
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if isCancel(r) && asked.Add(1) <= test.refusals {
						limit(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			}
			for _, c := range s.examine().Checks {
				if c.ID == "homeserver.delayed_schedule" && (c.CauseID != test.cause || !strings.Contains(c.Seen, test.seen)) {
					t.Errorf("%s: got the cause %q: %s, want %q: %s", c.ID, c.CauseID, c.Seen, test.cause, test.seen)
				}
			}
		})
	}
}

// TestCancelUnheard has a homeserver that cancels the event, but whose answer
// is lost. The second try gets 404. doctor must conclude that the event is
// cancelled.
func TestCancelUnheard(t *testing.T) {
	s := newStack(t)
	var asked atomic.Int32
	s.client = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isCancel(r) && asked.Add(1) == 1 {
				next.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
	for _, c := range s.examine().Checks {
		if c.ID == "homeserver.delayed_schedule" && c.Status != engine.OK {
			t.Errorf("%s: %s %s, want ok", c.ID, c.Status, c.Seen)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("cancelling was tried %d times, want twice", asked.Load())
	}
}
