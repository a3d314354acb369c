package access_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/matrix"
)

// slow says after some time whether a user is joined, and gives the same answer
// for every room.
type slow struct {
	joined bool
	err    error
	takes  time.Duration
}

func (s slow) IsJoined(ctx context.Context, _ matrix.RoomID, _ matrix.UserID) (bool, error) {
	select {
	case <-time.After(s.takes):
		return s.joined, s.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (s slow) IsServerJoined(ctx context.Context, room matrix.RoomID, _ matrix.ServerName) (bool, error) {
	return s.IsJoined(ctx, room, matrix.UserID{})
}

// TestLearned checks that the service asks the homeserver about a user who need
// not be joined. The ticket says that the user is joined only if the homeserver
// says yes. The user gets a token whatever the homeserver says. The service
// waits for the homeserver's answer for at most a second.
func TestLearned(t *testing.T) {
	unknown := errors.New("no answer")
	for _, tt := range []struct {
		name    string
		members slow
		learn   bool
		want    bool
		takes   time.Duration
	}{
		{"joined", slow{joined: true, takes: 300 * time.Millisecond}, true, true, 300 * time.Millisecond},
		{"not joined", slow{takes: 300 * time.Millisecond}, true, false, 300 * time.Millisecond},
		{"no answer", slow{joined: true, err: unknown}, true, false, 0},
		{"the account is not in the room", slow{err: matrix.ErrNotInRoom}, true, false, 0},
		{"too late", slow{joined: true, takes: 2 * time.Second}, true, false, time.Second},
		{"nobody is asked", slow{joined: true}, false, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "a.test")
				w.Membership, w.LearnMembership = tt.members, tt.learn
				start := time.Now()
				got, err := w.Token(t.Context(), proof("openid", alice), request())
				if err != nil || got.Token == "" || w.ticket.Joined != tt.want {
					t.Errorf("got %+v, %v, known to be joined: %v, want %v", got, err, w.ticket.Joined, tt.want)
				}
				if took := time.Since(start); took != tt.takes {
					t.Errorf("took %s, want %s", took, tt.takes)
				}
			})
		})
	}
}

// TestRequired checks that users of the servers in MustBeJoined must be joined,
// even if an OpenID token proves who they are.
func TestRequired(t *testing.T) {
	unknown := errors.New("no answer")
	local := func(s matrix.ServerName) bool { return s == server("a.test") }
	everyone := func(matrix.ServerName) bool { return true }
	for _, tt := range []struct {
		name    string
		must    func(matrix.ServerName) bool
		user    string
		err     error
		want    error
		learned bool
	}{
		{"local, joined", local, alice, nil, nil, true},
		{"local, not joined", local, "@eve:a.test", nil, access.ErrNotJoined, false},
		{"local, unknown", local, alice, unknown, unknown, false},
		{"local, of another server", local, "@eve:b.test", nil, nil, false},
		{"on, joined", everyone, bob, nil, nil, true},
		{"on, not joined", everyone, "@eve:b.test", nil, access.ErrNotJoined, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "a.test", "b.test")
			w.MustBeJoined, w.err = tt.must, tt.err
			if _, err := w.Token(t.Context(), proof("openid", tt.user), request()); !errors.Is(err, tt.want) {
				t.Errorf("a token: %v, want %v", err, tt.want)
			}
			if w.ticket.Joined != tt.learned {
				t.Errorf("known to be joined: %v, want %v", w.ticket.Joined, tt.learned)
			}
			if _, err := w.Delegate(t.Context(), proof("openid", tt.user), leaving(request())); !errors.Is(err, tt.want) {
				t.Errorf("a leave: %v, want %v", err, tt.want)
			}
		})
	}
}

// TestUnseen checks Matrix rooms that the service's account is not in.
// AllowUnseen decides whether users who must be joined get a token there. Their
// tickets never say that they are joined, so the service never removes these
// users from a call. The service asks only once about a user.
func TestUnseen(t *testing.T) {
	everyone := func(matrix.ServerName) bool { return true }
	for _, tt := range []struct {
		name  string
		allow bool
		err   error
		want  error
	}{
		{"denied", false, matrix.ErrNotInRoom, access.ErrUnseen},
		{"allowed", true, matrix.ErrNotInRoom, nil},
		{"allowed, and no answer", true, context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "a.test", "b.test")
			w.MustBeJoined, w.AllowUnseen, w.LearnMembership, w.err = everyone, tt.allow, true, tt.err
			if _, err := w.Token(t.Context(), proof("openid", alice), request()); !errors.Is(err, tt.want) {
				t.Errorf("a token: %v, want %v", err, tt.want)
			}
			if n := slices.Index(w.asked, alice+" "+room); n < 0 || slices.Contains(w.asked[n+1:], alice+" "+room) {
				t.Errorf("asked %q, want one question about %s", w.asked, alice)
			}
			if w.ticket.Joined {
				t.Error("ticket.Joined: got true, want false")
			}
			if _, err := w.Delegate(t.Context(), proof("openid", alice), leaving(request())); !errors.Is(err, tt.want) {
				t.Errorf("a leave: %v, want %v", err, tt.want)
			}
		})
	}
}
