package membership_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership"
)

// tardy is a [membership.Roll] whose lists are empty, and take a second each.
type tardy struct{ lists atomic.Int64 }

func (r *tardy) EachJoined(ctx context.Context, _ matrix.RoomID, _ func(string)) error {
	r.lists.Add(1)
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestStrangersDoNotDelayTheGuard checks strangers who ask for tokens in
// invented rooms. They must not delay a question of the guard by more than the
// 5 s that it may take.
func TestStrangersDoNotDelayTheGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := membership.NewLookup(membership.NewRooms(&tardy{}))
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 256 {
			room, _ := matrix.ParseRoomID(fmt.Sprintf("!made-up-%d", i))
			user, _ := matrix.ParseUserID(fmt.Sprintf("@u%d:evil.test", i))
			go l.IsJoined(ctx, room, user)
		}
		synctest.Wait()
		asking, end := context.WithTimeout(t.Context(), 5*time.Second)
		defer end()
		room, _ := matrix.ParseRoomID("!room")
		user, _ := matrix.ParseUserID("@alice:example.org")
		began := time.Now()
		if _, err := l.IsJoinedNow(asking, room, user); err != nil {
			t.Errorf("got %v after %s, want an answer within 5 s", err, time.Since(began))
		}
		cancel()
		time.Sleep(time.Minute)
	})
}
