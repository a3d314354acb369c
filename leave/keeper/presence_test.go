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

// failing returns a fault: a function that makes the named calls of the SFU fail. If
// own is true, the error comes from the SFU. If own is false, it comes from a proxy
// before the SFU.
func failing(cause string, own bool, calls ...string) func(string, sfu.Room) error {
	return func(call string, _ sfu.Room) error {
		if !slices.Contains(calls, call) {
			return nil
		}
		return &sfu.Error{Op: call, Cause: cause, Answered: own, Err: errors.New("scripted")}
	}
}

// questions are the names of all calls that the keeper makes to the SFU.
var questions = []string{"Session", "Sessions", "RoomSince", "Reachable", "CreateRoom", "Ping"}

// TestRoomIsNotKnown restarts the SFU, and the keeper does not notice this. Then the
// SFU fails to say when the room was created, or fails to create the room. Meanwhile
// the participant must not count as absent.
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

// TestRoomIsForgottenBeforeASend has a participant who has left. The keeper cannot send
// the leave, because the homeserver does not answer. Meanwhile the SFU restarts, and so
// loses all participants. The participant may have come back before the restart, so the
// keeper must not send the leave when the homeserver answers again.
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

// TestLastLeaveIsNotReported has a last participant who leaves without a webhook. The
// SFU then closes the empty room. A missing room can also mean that the SFU has
// restarted. Nevertheless, one more question after the SFU's first answer must be
// enough for the keeper to send the leave.
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

// TestSFUBehindAProxy makes the SFU go away, while a proxy keeps the connections and
// answers in the SFU's place. The keeper must notice the outage, and must not send the
// participant's leave.
func TestSFUBehindAProxy(t *testing.T) {
	for _, cause := range []string{sfu.CauseStatus, sfu.CauseNotFound, sfu.CauseNotTwirp, sfu.CauseRedirect, sfu.CauseTimeout} {
		t.Run(cause, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, 18*time.Second)
				w.set(func() { w.proxied = true })
				time.Sleep(70 * time.Second)
				w.vanish()
				w.set(func() { w.roomAt, w.fault = time.Time{}, failing(cause, false, questions...) })
				time.Sleep(62 * time.Second) // in this time, the keeper asks the SFU who is in the room
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

// TestSFURefusesTheKey has an SFU that refuses our key and so answers no question. This
// must not count as an outage of the SFU. The log must warn the operator from time to
// time.
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

// TestSFUAwayUnasked checks that the keeper notices an outage of the SFU while no job
// needs an answer of the SFU.
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

// TestOneRoomCannotBeCreated has one room that the SFU fails to create. Only the leaves
// of this room may be sent later than usual.
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

// keep stores the n-th job of the test. Its state is connected, and its participant was
// last seen in room at the time seen.
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

// TestOneRoomTellsOfARestart has an SFU that has restarted. Clients that reconnected
// quickly made the service create 19 of 20 rooms again. One room is still missing. From
// this room, the keeper must conclude that the SFU has restarted.
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

// TestTheOldestTellsOfARestart checks how the keeper notices a restart of the SFU. The
// sign is a room that was created after one of its participants had come. The keeper
// must look at the participant who came first. A participant who has just come proves
// nothing.
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
