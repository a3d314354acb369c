package appservice

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
)

const (
	// sweepLimit is how long a user may stay on the SFU after the event that ends their
	// membership, if only sweeps can notice it: the homeserver pushes no events. The time
	// between two sweeps is the default.
	sweepLimit = 40 * time.Second
	// callers is the number of users who are in calls while the homeserver loses its
	// database. calls is the number of rooms in which these calls take place.
	callers = 30
	calls   = 3
	// shortInterval is the time between two sweeps, in seconds, for tests that wait for
	// several sweeps.
	shortInterval = "2"
)

// swept is a deployment with several calls. Its homeserver pushes no events.
type swept struct {
	t     *testing.T // the processes of the deployment stop when this test ends
	side  *side
	owner *account.Account
	rooms []string
	in    []*member
}

// TestSwept checks that a sweep removes a user who is no longer in the Matrix room, and
// nobody else. The homeserver pushes no events. While the homeserver is stopped or has
// lost its database, the sweep must remove nobody.
func TestSwept(t *testing.T) {
	t.Parallel() // the test waits most of the time
	s := &swept{t: t, side: newSide(t, newWorld(t), "first", false, nil, quickly)}
	s.owner = s.side.register(t, "owner")
	for range calls {
		s.rooms = append(s.rooms, s.publicRoom(t))
	}
	s.in = s.enter(t, "caller", callers)
	t.Run("removes", s.removes)
	t.Run("a room that is upgraded", s.upgraded)
	t.Run("homeserver away", s.outage)
	t.Run("empty database", s.emptied)
	t.Run("old database", s.restored)
}

// publicRoom creates a Matrix room that everybody may join, for a call.
func (s *swept) publicRoom(t *testing.T) string {
	t.Helper()
	var made struct {
		RoomID string `json:"room_id"`
	}
	must(t, s.owner.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/v3/createRoom",
		map[string]string{"preset": "public_chat"}, &made))
	return made.RoomID
}

// enter registers n new users and spreads them over the calls. Each user joins one
// call.
func (s *swept) enter(t *testing.T, name string, n int) []*member {
	t.Helper()
	var members []*member
	for i := range n {
		a, room := s.side.register(t, fmt.Sprintf("%s%d", name, i)), s.rooms[i%len(s.rooms)]
		must(t, a.Join(within(t, time.Minute), room, s.side.name.String()))
		members = append(members, s.side.enter(t, a, room))
	}
	return members
}

// removes checks that the sweep removes users who were banned, were kicked or left, and
// nobody else.
func (s *swept) removes(t *testing.T) {
	gone := s.enter(t, "gone", 3)
	act(t, s.owner, gone[0].room, "ban", gone[0].Account)
	act(t, s.owner, gone[1].room, "kick", gone[1].Account)
	leavesRoom(t, gone[2].Account, gone[2].room)
	for _, m := range gone {
		event := membershipOf(t, s.owner, m.room, m.UserID)
		took := isOut(t, m.session, 2*sweepLimit).Sub(time.UnixMilli(event.Time))
		t.Logf("%v: off the SFU %v after the event", event.Content["membership"], took.Round(time.Millisecond))
		if took > sweepLimit {
			t.Errorf("off the SFU %v after the event, want %v at most", took, sweepLimit)
		}
		eventually(t, 10*time.Second, "the service logs the removal", func() bool {
			return len(removals(t, m.UserID, s.side.service)) == 1
		})
		if all := removals(t, m.UserID, s.side.service); all[0].by != "sweep" {
			t.Errorf("removals: got %+v, want one by the sweep", all)
		}
	}
	areIn(t, "after a sweep that has removed others", s.in...)
}

// upgraded checks that a restarted service removes nobody, not even when another Matrix
// room replaces one of the rooms.
func (s *swept) upgraded(t *testing.T) {
	must(t, s.side.service.Stop())
	s.side.service.Env["LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS"] = shortInterval
	must(t, s.side.service.Start(within(t, time.Minute)))
	must(t, s.owner.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/v3/rooms/"+url.PathEscape(s.rooms[0])+"/upgrade",
		map[string]string{"new_version": "11"}, nil))
	sweeps(t, s.side.service, 2)
	areIn(t, "two sweeps after the upgrade of a room", s.in...)
}

// outage checks that the service removes nobody while the homeserver is stopped.
func (s *swept) outage(t *testing.T) {
	must(t, s.side.Stop())
	unknown := statusOf(t, s.side.service).Membership.Unknown
	sweeps(t, s.side.service, 2)
	if now := statusOf(t, s.side.service).Membership.Unknown; now < unknown+callers {
		t.Errorf("%d questions without an answer, want at least %d", now-unknown, callers)
	}
	areIn(t, "two sweeps without the homeserver", s.in...)
}

// database returns the path of the homeserver's database.
func (s *swept) database() string { return filepath.Join(s.side.Host.Dir, "first", "homeserver.db") }

// emptied starts the stopped homeserver again with an empty database. Then no
// participant is in their Matrix room, according to the homeserver. The service must
// not believe this, and must remove nobody.
func (s *swept) emptied(t *testing.T) {
	move(t, s.database(), s.database()+".kept")
	must(t, s.side.Start(within(t, time.Minute)))
	s.side.eventuallyLogs(t, "the homeserver says that too many participants are not in their rooms")
	// A user who joins now must not be removed either.
	back := s.in[0]
	back.session.Leave()
	s.in[0] = s.side.enterWith(s.t, back.Account, back.room, back.token)
	sweeps(t, s.side.service, 2)
	areIn(t, "two sweeps with an empty database", s.in...)
	if now := statusOf(t, s.side.service).Membership; !now.Braked {
		t.Errorf("membership: got %+v, want it braked", now)
	}
}

// restored gives the old database back to the homeserver. The service must then believe
// the homeserver again, without a restart. It must remove a banned user, and nobody
// else.
func (s *swept) restored(t *testing.T) {
	must(t, s.side.Stop())
	move(t, s.database(), s.database()+".empty")
	move(t, s.database()+".kept", s.database())
	must(t, s.side.Start(within(t, time.Minute)))
	s.side.eventuallyLogs(t, "the homeserver's answers have recovered")
	act(t, s.owner, s.in[1].room, "ban", s.in[1].Account)
	isOut(t, s.in[1].session, time.Minute)
	s.in = append(s.in[:1], s.in[2:]...)
	sweeps(t, s.side.service, 1)
	areIn(t, "with the old database", s.in...)
	for _, m := range s.in {
		if all := removals(t, m.UserID, s.side.service); len(all) != 0 {
			t.Errorf("%s: got the removals %+v, want none", m.UserID, all)
		}
	}
}

// move moves all files of an SQLite database.
func move(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(from + "*")
	must(t, err)
	for _, file := range files {
		if rest := strings.TrimPrefix(file, from); rest == "" || strings.HasPrefix(rest, "-") {
			must(t, os.Rename(file, to+rest))
		}
	}
}
