package keeper_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// failing returns a fault of single calls of the SFU: its own word, or that of a
// proxy before it.
func failing(cause string, own bool, calls ...string) func(string, sfu.Room) error {
	return func(call string, _ sfu.Room) error {
		if !slices.Contains(calls, call) {
			return nil
		}
		return &sfu.Error{Op: call, Cause: cause, Answered: own, Err: errors.New("scripted")}
	}
}

// questions are all calls of the SFU.
var questions = []string{"Session", "Sessions", "RoomSince", "Reachable", "CreateRoom", "Ping"}

// An SFU that has restarted unseen, and does not say whether the room is the
// one that somebody was in, has said nothing.
func TestRoomIsNotKnown(t *testing.T) {
	for _, call := range []string{"RoomSince", "CreateRoom"} {
		for _, cause := range []string{sfu.CauseTimeout, sfu.CauseStatus} {
			t.Run(call+" "+cause, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := connected(t, long)
					w.set(func() { w.proxied = true })
					time.Sleep(3 * time.Minute)
					w.report(sfu.KindLeft, "S1", sfu.ReasonOther) // its connection broke
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

// A member may come back while its leave waits for the homeserver, and be
// thrown out with everybody else.
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

// The SFU closes a room that everybody has left, which looks as if it had
// restarted. That is found out with the first look, so one more is enough.
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

// A proxy before the SFU keeps its connections, and answers for it.
func TestSFUBehindAProxy(t *testing.T) {
	for _, cause := range []string{sfu.CauseStatus, sfu.CauseNotFound, sfu.CauseNotTwirp, sfu.CauseRedirect, sfu.CauseTimeout} {
		t.Run(cause, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, 18*time.Second)
				w.set(func() { w.proxied = true })
				time.Sleep(70 * time.Second)
				w.vanish()
				w.set(func() { w.roomAt, w.fault = time.Time{}, failing(cause, false, questions...) })
				time.Sleep(62 * time.Second) // with a look into the room
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

// An SFU that knows our key no longer answers nobody's question. That is not an
// outage, but the operator hears of it, once in a while.
func TestSFURefusesTheKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, 18*time.Second)
		var warnings lines
		w.log = slog.New(slog.NewTextHandler(&warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
		w.again(time.Second)
		w.set(func() { w.fault = failing(sfu.CauseUnauthorized, true, questions...) })
		time.Sleep(9 * time.Minute)
		if w.current().SFUAnswers() {
			t.Error("SFUAnswers: got true, want false")
		}
		if n := warnings.with("did not say whether participants are there"); n != 1 {
			t.Errorf("%d warnings, want one", n)
		}
		w.set(func() { w.fault = nil })
		time.Sleep(2 * time.Second)
		if !w.current().SFUAnswers() {
			t.Error("SFUAnswers with the right key: got false, want true")
		}
		w.wantCreated(0)
	})
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

// with counts the lines that have text.
func (l *lines) with(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// An SFU that is away is noticed although nobody asks it for anything.
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

// One room that cannot be created holds up nobody but who was in it.
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

// keep has a job of room be connected, whose participant has been seen at seen.
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

// An SFU that has restarted is known by any room that it lacks, though clients
// that were quicker have had others made already.
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

// A room is as old as anybody in it: who has just come proves nothing.
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
