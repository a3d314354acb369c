package keeper_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// failing returns a fault that makes the named calls of the SFU fail. own says
// that the SFU itself answers with an error, and not a proxy in its place.
func failing(cause string, own bool, calls ...string) func(string, sfu.Room) error {
	return func(call string, _ sfu.Room) error {
		if !slices.Contains(calls, call) {
			return nil
		}
		return &sfu.Error{Op: call, Cause: cause, Answered: own, Err: errors.New("scripted")}
	}
}

// questions are the names of all calls of the SFU.
var questions = []string{"Session", "Sessions", "RoomSince", "Reachable", "CreateRoom", "Ping"}

// An SFU has restarted unnoticed, and does not say whether its room is the one in
// which the participant was. Then the participant does not count as absent.
func TestRoomIsNotKnown(t *testing.T) {
	for _, call := range []string{"RoomSince", "CreateRoom"} {
		for _, cause := range []string{sfu.CauseTimeout, sfu.CauseStatus} {
			t.Run(call+" "+cause, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := connected(t, long)
					w.set(func() { w.proxied = true })
					time.Sleep(3 * time.Minute)
					w.report(sfu.KindLeft, "S1", sfu.ReasonOther) // the participant's connection broke
					w.set(func() { w.fault = failing(cause, cause == sfu.CauseStatus, call) })
					w.sfuRestart()
					time.Sleep(8 * time.Second)
					w.set(func() { w.fault = nil })
					time.Sleep(4 * time.Second)
					w.join("S2")
					w.report(sfu.KindJoined, "S2", sfu.ReasonOther)
					time.Sleep(time.Minute)
					w.wantFate("d1", "", time.Time{}, 0)
				})
			})
		}
	}
}

// A participant may come back while the leave waits for the homeserver, and then
// be thrown out with everybody else. The leave is not sent.
func TestRoomIsForgottenBeforeASend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.proxied, w.hsDown = true, true })
		w.vanish()
		w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
		time.Sleep(30 * time.Second)
		w.sfuRestart()
		w.set(func() { w.hsDown = false })
		time.Sleep(12 * time.Second)
		w.wantFate("d1", "", time.Time{}, 0)
		w.set(func() {
			if len(w.created) != 1 {
				t.Errorf("created %q, want the room again", w.created)
			}
		})
		w.join("S2")
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// The SFU closes a room that everybody has left. That looks as if the SFU had
// restarted. The first look notices it, so one more look is enough.
func TestLastLeaveIsNotReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.again(5 * time.Second)
		time.Sleep(3 * time.Minute)
		w.vanish()
		w.set(func() { w.roomAt = time.Time{} })
		gone := time.Now()
		time.Sleep(10 * time.Minute)
		w.wantFate("d1", "sent", gone, w.interval+grace.Confirm+2*time.Second)
	})
}

// The SFU is away while a proxy before it keeps the connections and answers.
func TestSFUBehindAProxy(t *testing.T) {
	for _, cause := range []string{sfu.CauseStatus, sfu.CauseNotFound, sfu.CauseNotTwirp, sfu.CauseRedirect, sfu.CauseTimeout} {
		t.Run(cause, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, 18*time.Second)
				w.set(func() { w.proxied = true })
				time.Sleep(70 * time.Second)
				w.vanish()
				w.set(func() { w.roomAt, w.fault = time.Time{}, failing(cause, false, questions...) })
				time.Sleep(62 * time.Second) // long enough for a look into the room
				if w.current().SFUAnswers() {
					t.Error("SFUAnswers: got true, want false")
				}
				w.set(func() { w.fault = nil })
				time.Sleep(5*time.Second + 100*time.Millisecond)
				w.wantCreated(1)
				time.Sleep(9 * time.Second)
				w.join("S2")
				time.Sleep(10 * time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
				if !w.current().SFUAnswers() {
					t.Error("SFUAnswers: got false, want true")
				}
			})
		})
	}
}

// An SFU that refuses our key answers no question. That is not an outage, but the
// log warns the operator once in a while.
func TestSFURefusesTheKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, 18*time.Second)
		var warnings logtest.Log
		w.log = slog.New(slog.NewTextHandler(&warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
		w.again(time.Second)
		w.set(func() { w.fault = failing(sfu.CauseUnauthorized, true, questions...) })
		time.Sleep(9 * time.Minute)
		if w.current().SFUAnswers() {
			t.Error("SFUAnswers: got true, want false")
		}
		if n := warnings.Count("did not say whether participants are there"); n != 1 {
			t.Errorf("got %d warnings, want one", n)
		}
		w.set(func() { w.fault = nil })
		time.Sleep(2 * time.Second)
		if !w.current().SFUAnswers() {
			t.Error("SFUAnswers with the right key: got false, want true")
		}
		w.wantCreated(0)
	})
}

// The keeper notices that the SFU is away even if no job needs an answer.
func TestSFUAwayUnasked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(func() { w.sfuDown = true })
		w.again(time.Minute)
		time.Sleep(3 * time.Second)
		if w.current().SFUAnswers() {
			t.Error("SFUAnswers: got true, want false")
		}
		w.set(func() { w.sfuDown = false })
		time.Sleep(time.Second)
		if !w.current().SFUAnswers() {
			t.Error("SFUAnswers: got false, want true")
		}
	})
}

// If one room cannot be created, only the participants of that room have to wait.
func TestOneRoomCannotBeCreated(t *testing.T) {
	for _, own := range []bool{true, false} {
		t.Run(fmt.Sprint(own), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, long)
				bad := leave.New(leave.Key{Room: "bad", Identity: "bob"}, user(t), delayID(t, "bobs"), long, time.Now())
				w.schedule("bobs", long)
				w.wantLimit("", bad, many)
				w.set(func() { w.present.add(bad.Key, "B1") })
				time.Sleep(2 * time.Minute)
				tries := 0
				w.set(func() {
					w.sfuDown, w.roomAt, w.noRoom = true, time.Time{}, "bad"
					clear(w.present)
					w.fault = func(call string, room sfu.Room) error {
						if call != "CreateRoom" || room != "bad" {
							return nil
						}
						tries++
						return failing(sfu.CauseTimeout, own, call)(call, room)
					}
				})
				time.Sleep(2 * time.Second)
				w.set(func() { w.sfuDown = false })
				back := time.Now()
				time.Sleep(time.Second)
				if !w.current().SFUAnswers() {
					t.Error("SFUAnswers: got false, want true")
				}
				time.Sleep(5 * time.Minute)
				w.wantFate("d1", "sent", back, 40*time.Second)
				w.wantFate("bobs", "", time.Time{}, 0)
				w.set(func() {
					if tries > 200 {
						t.Errorf("got %d tries in 5 min, want at most 200", tries)
					}
					w.fault = nil
				})
				fixed := time.Now()
				time.Sleep(5 * time.Minute)
				w.wantFate("bobs", "sent", fixed, 2*time.Minute)
			})
		})
	}
}

// keep stores the n-th job as connected in room, with a participant who was seen
// there at seen.
func (w *world) keep(room sfu.Room, n int, seen time.Time) {
	w.t.Helper()
	job := another(w.t, n, long)
	job.Room = room
	w.schedule(job.DelayID.String(), long)
	w.set(func() { w.present.add(job.Key, "S1") })
	if _, err := w.store.Put(w.t.Context(), job.Joined(seen, "S1")); err != nil {
		w.t.Fatal(err)
	}
}

// The keeper notices a restart of the SFU if any room is missing, even if quick
// clients have had other rooms created already.
func TestOneRoomTellsOfARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.join("S1")
		time.Sleep(time.Minute)
		for i := range 20 {
			w.keep(sfu.Room(fmt.Sprint("room", i)), i, time.Now())
		}
		time.Sleep(5 * time.Second)
		w.set(func() {
			w.noRoom = "room13"
			w.endLine()
		})
		time.Sleep(200 * time.Millisecond)
		w.wantCreated(20)
	})
}

// To notice a restart, the keeper compares the room's age with the participant
// who has been there for longest, not with one who has just come.
func TestTheOldestTellsOfARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.join("S1")
		time.Sleep(time.Minute)
		w.keep("room", 1, time.Now())
		w.keep("room", 2, time.Now().Add(-time.Minute))
		w.set(func() {
			w.roomAt = time.Now().Add(time.Second)
			w.endLine()
		})
		time.Sleep(200 * time.Millisecond)
		w.wantCreated(1)
	})
}
