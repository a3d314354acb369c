package membership_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership"
)

// roll is a [membership.Roll] that lists the users who were joined when the
// question arrived. Each list takes some time.
type roll struct {
	mu     sync.Mutex
	joined map[string][]string // the members; the keys are rooms
	takes  time.Duration
	err    error
	began  []time.Time
	most   int // the largest number of lists that were read at the same time
	now    int
}

func (r *roll) EachJoined(ctx context.Context, room matrix.RoomID, see func(string)) error {
	r.mu.Lock()
	r.began = append(r.began, time.Now())
	r.now++
	r.most = max(r.most, r.now)
	users, err, takes := slices.Clone(r.joined[room.String()]), r.err, r.takes
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.now--
	}()
	for _, user := range users {
		see(user)
	}
	select {
	case <-time.After(takes):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *roll) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.began)
}

func (r *roll) change(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

func TestRooms(t *testing.T) {
	r := &roll{joined: map[string][]string{"!a": {"@alice:a", "@ü:b"}}}
	rooms := membership.NewRooms(r)
	for _, tt := range []struct {
		room, user string
		want       bool
	}{
		{"!a", "@alice:a", true},
		{"!a", "@ü:b", true},
		{"!a", "@Alice:a", false},
		{"!a", "@eve:a", false},
		{"!b", "@alice:a", false},
	} {
		t.Run(tt.room, func(t *testing.T) {
			got, err := rooms.IsJoined(t.Context(), matrixtest.RoomID(t, tt.room), matrixtest.UserID(t, tt.user))
			if got != tt.want || err != nil {
				t.Errorf("%s in %s: %v, %v, want %v", tt.user, tt.room, got, err, tt.want)
			}
		})
	}
	for server, want := range map[string]bool{"a": true, "b": true, "c": false} {
		t.Run(server, func(t *testing.T) {
			name, err := matrix.ParseServerName(server)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := rooms.IsServerJoined(t.Context(), matrixtest.RoomID(t, "!a"), name); got != want || err != nil {
				t.Errorf("server %s: %v, %v, want %v", server, got, err, want)
			}
		})
	}
	users := []matrix.UserID{matrixtest.UserID(t, "@eve:a"), matrixtest.UserID(t, "@ü:b"), matrixtest.UserID(t, "@alice:a")}
	got, err := rooms.AreJoined(t.Context(), matrixtest.RoomID(t, "!a"), users)
	if want := []bool{false, true, true}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// TestOneListForAll checks that many callers who ask about a room cost only two
// lists: one for the caller who asked first, and one for all callers who asked while
// the first list was being read.
func TestOneListForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roll{joined: map[string][]string{"!a": {"@user1:b"}}, takes: time.Second}
		l := membership.NewLookup(membership.NewRooms(r))
		var running sync.WaitGroup
		for i := range 200 {
			running.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				joined, err := l.IsJoinedNow(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, fmt.Sprintf("@user%d:b", i)))
				if joined != (i == 1) || err != nil {
					t.Errorf("user %d: got %v, %v, want joined: %v", i, joined, err, i == 1)
				}
			})
		}
		running.Wait()
		if n := r.asked(); n != 2 {
			t.Errorf("asked %d times, want twice", n)
		}
	})
}

// TestAListBeginsAfterItsQuestion checks that a caller who asks while a list is
// being read gets the answer from the next list.
func TestAListBeginsAfterItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roll{joined: map[string][]string{"!a": {"@a:b"}}, takes: time.Second}
		rooms := membership.NewRooms(r)
		var running sync.WaitGroup
		running.Go(func() {
			if joined, err := rooms.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); !joined || err != nil {
				t.Errorf("before: %v, %v, want true", joined, err)
			}
		})
		synctest.Wait()
		r.change(func() { r.joined = nil })
		if joined, err := rooms.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); joined || err != nil {
			t.Errorf("after: %v, %v, want false", joined, err)
		}
		running.Wait()
	})
}

// TestRoomsThatFail has a member list that ends with an error. IsJoined and
// IsServerJoined must return that error.
func TestRoomsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roll{joined: map[string][]string{"!a": {"@a:b"}}, err: errUnknown}
		rooms := membership.NewRooms(r)
		if joined, err := rooms.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); joined || !errors.Is(err, errUnknown) {
			t.Errorf("got %v, %v, want %v", joined, err, errUnknown)
		}
		server, err := matrix.ParseServerName("b")
		if err != nil {
			t.Fatal(err)
		}
		if joined, err := rooms.IsServerJoined(t.Context(), matrixtest.RoomID(t, "!a"), server); joined || !errors.Is(err, errUnknown) {
			t.Errorf("of a server: %v, %v, want %v", joined, err, errUnknown)
		}
	})
}

// TestSilentRooms checks a homeserver that does not answer. No caller waits
// longer than its context allows, and at most 16 lists of a room's members are
// requested at the same time. The other lists wait their turn. If nobody waits
// for such a list any more, it is never requested.
func TestSilentRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roll{takes: time.Hour}
		rooms := membership.NewRooms(r)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var running sync.WaitGroup
		for i := range 100 {
			running.Go(func() {
				start := time.Now()
				_, err := rooms.IsJoined(ctx, matrixtest.RoomID(t, fmt.Sprintf("!%d", i)), matrixtest.UserID(t, "@a:b"))
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
					t.Errorf("room %d: %v after %s, want that of its context after 5 s", i, err, took)
				}
			})
		}
		running.Wait()
		time.Sleep(time.Minute) // during this minute, all 16 requests for member lists time out
		if n := r.asked(); n != 16 || r.most != 16 {
			t.Errorf("asked %d times, %d at once, want 16", n, r.most)
		}
		r.change(func() { r.takes = 0 })
		if _, err := rooms.IsJoined(t.Context(), matrixtest.RoomID(t, "!1"), matrixtest.UserID(t, "@a:b")); err != nil {
			t.Errorf("afterwards: got %v, want no error", err)
		}
	})
}

// TestTogether asks about several users of one room in one call. One member list has
// the answers for all of them. Each user's answer must be cached and dropped like the
// answer to a single question.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roll{joined: map[string][]string{"!a": {"@a:b", "@c:d"}}}
		l := membership.NewLookup(membership.NewRooms(r))
		all := []matrix.UserID{matrixtest.UserID(t, "@a:b"), matrixtest.UserID(t, "@c:d")}
		if got, err := l.AreJoinedNow(t.Context(), matrixtest.RoomID(t, "!a"), all); err != nil || !slices.Equal(got, []bool{true, true}) {
			t.Errorf("got %v, %v, want both", got, err)
		}
		r.change(func() { r.joined["!a"] = []string{"@c:d"} })
		if got, err := l.AreJoinedNow(t.Context(), matrixtest.RoomID(t, "!a"), all); err != nil || !slices.Equal(got, []bool{false, true}) {
			t.Errorf("got %v, %v, want the second", got, err)
		}
		for i, want := range []int{3, 3} { // the first user is asked about again; the second is in the cache
			if _, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), all[i]); err != nil {
				t.Errorf("IsJoined(%s): got %v, want no error", all[i], err)
			}
			if n := r.asked(); n != want {
				t.Errorf("%s: asked %d times, want %d", all[i], n, want)
			}
		}
		r.change(func() { r.err = errUnknown })
		if got, err := l.AreJoinedNow(t.Context(), matrixtest.RoomID(t, "!a"), all); got != nil || !errors.Is(err, errUnknown) {
			t.Errorf("got %v, %v, want %v", got, err, errUnknown)
		}
	})
}
