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

// TestRemoteTokenAsksInTurn checks that the service asks another homeserver for
// a token only if the user and that homeserver are in the Matrix room.
func TestRemoteTokenAsksInTurn(t *testing.T) {
	for _, tt := range []struct {
		name, user, server string
		wants              error
		asked              []string
	}{
		{"both joined", alice, "b.test", nil, []string{alice + " " + room, "b.test " + room, "remote b.test"}},
		{"the user is not", "@eve:a.test", "b.test", access.ErrNotJoined, []string{"@eve:a.test " + room}},
		{"the server is not", alice, "c.test", access.ErrNotJoined, []string{alice + " " + room, "c.test " + room}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			content, got, err := w.RemoteToken(t.Context(), access.Proxied{User: user(tt.user)}, server(tt.server), request(), nil)
			if !errors.Is(err, tt.wants) || (err == nil) != (string(content) == `{"jwt":"theirs"}`) {
				t.Errorf("got %s, %v, want %v", content, err, tt.wants)
			}
			if !slices.Equal(w.asked, tt.asked) || got.User != user(tt.user) {
				t.Errorf("asked %q for %s, want %q", w.asked, got.User, tt.asked)
			}
		})
	}
}

// slowly takes 9 s to answer each question about membership.
type slowly struct{ *world }

func (s slowly) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return s.wait(ctx)
}

func (s slowly) IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return s.wait(ctx)
}

func (s slowly) wait(ctx context.Context) (bool, error) {
	select {
	case <-time.After(9 * time.Second):
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// TestARemoteTokenComesInTime checks that RemoteToken returns by its deadline,
// even if the homeserver answers questions about membership slowly.
func TestARemoteTokenComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Membership = slowly{w}
		what := request()
		what.By = time.Now().Add(15 * time.Second)
		start := time.Now()
		_, _, err := w.RemoteToken(t.Context(), access.Proxied{User: user(alice)}, server("b.test"), what, nil)
		if took := time.Since(start); err == nil || took != 15*time.Second {
			t.Errorf("err = %v after %v, want one after 15 s", err, took)
		}
	})
}
