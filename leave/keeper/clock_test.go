package keeper_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/filestore"
	"matrixrtc-auth/sfu"
)

// jumps are the times by which the tests change the wall clock. A wall clock jumps when
// NTP finds a server, when somebody sets the time, or when the clock has no battery.
// The longest jumps lead from the year 2000, when virtual time begins, to 1986 and to
// 2055.
var jumps = []time.Duration{
	-time.Second, -time.Minute, -time.Hour, -14 * 365 * 24 * time.Hour,
	time.Second, time.Minute, time.Hour, 56 * 365 * 24 * time.Hour,
}

// onEachJump runs test in virtual time for each jump of the wall clock (see jumps), with
// a short and a long delay of the leave. It runs each of these cases twice: with the SFU
// on the machine of the service, and with the SFU on a different machine.
func onEachJump(t *testing.T, test func(t *testing.T, w *world, jump, delay time.Duration)) {
	t.Helper()
	for _, jump := range jumps {
		for _, delay := range []time.Duration{8 * time.Second, 2 * time.Minute} {
			for _, elsewhere := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v/%v/elsewhere=%t", jump, delay, elsewhere), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						w := newWorld(t)
						w.elsewhere = elsewhere
						w.join("S1")
						w.delegate("d1", delay)
						w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
						time.Sleep(10 * time.Second)
						test(t, w, jump, delay)
					})
				})
			}
		}
	}
}

// TestWallClockIsSet sets the wall clock to wrong times. While the participant is in
// the call, the leave must not be sent. When the participant has left, it must be sent.
func TestWallClockIsSet(t *testing.T) {
	onEachJump(t, func(t *testing.T, w *world, jump, delay time.Duration) {
		w.machine.Set(jump)
		time.Sleep(5 * delay)
		w.wantFate("d1", "", time.Time{}, 0)
		if w.current().Stalled(w.clock.Now()) {
			t.Error("Stalled: got true, want false")
		}
		w.vanish()
		left := time.Now()
		w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
		time.Sleep(time.Minute)
		// Because the wall clock was set, the keeper may once believe that the SFU's
		// room is a new room. In this case it sends the leave one grace period later.
		w.wantFate("d1", "sent", left, 2*grace.Outage)
	})
}

// TestWallClockIsSetInAGrace sets the wall clock during a grace period. The period must
// last as long as configured.
func TestWallClockIsSetInAGrace(t *testing.T) {
	onEachJump(t, func(t *testing.T, w *world, jump, delay time.Duration) {
		w.vanish()
		w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
		time.Sleep(100 * time.Millisecond)
		w.machine.Set(jump)
		time.Sleep(800 * time.Millisecond)
		w.join("S2") // without a webhook
		time.Sleep(5 * delay)
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// TestWallClockIsSetInAnOutage sets the wall clock while the SFU is away, and again
// while clients reconnect. The keeper must not send the leave.
func TestWallClockIsSetInAnOutage(t *testing.T) {
	onEachJump(t, func(t *testing.T, w *world, jump, delay time.Duration) {
		w.set(func() { w.sfuDown, w.roomAt = true, time.Time{} })
		w.vanish()
		time.Sleep(3 * time.Second)
		w.machine.Set(jump)
		time.Sleep(2 * time.Minute)
		w.set(func() { w.sfuDown = false })
		time.Sleep(5 * time.Second)
		w.machine.Set(-2 * jump)
		time.Sleep(8 * time.Second)
		w.join("S2")
		w.report(sfu.KindJoined, "S2", sfu.ReasonOther)
		time.Sleep(5 * delay)
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// TestMachineSleeps makes actions become due while the machine sleeps. After the sleep,
// the keeper must do them immediately.
func TestMachineSleeps(t *testing.T) {
	for _, sleep := range []time.Duration{10 * time.Second, time.Hour} {
		t.Run(sleep.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, 18*time.Second)
				time.Sleep(time.Second)
				before := w.count("restart d1")
				w.machine.Sleep(sleep)
				time.Sleep(100 * time.Millisecond)
				if got := w.count("restart d1"); got != before+1 {
					t.Errorf("%d restarts right after the sleep, want 1", got-before)
				}
				time.Sleep(time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
				w.vanish()
				left := time.Now()
				w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
				time.Sleep(time.Minute)
				w.wantFate("d1", "sent", left, 2*time.Second)
			})
		})
	}
}

// sleepyStore is a store that makes the machine sleep for an hour. It does this once,
// right after the keeper has claimed a job.
type sleepyStore struct {
	leave.Store
	machine *clocktest.Machine
	slept   sync.Once
}

func (s *sleepyStore) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	jobs, err := s.Store.Claim(ctx, holder, now, n)
	if len(jobs) > 0 && jobs[0].State == leave.Connected {
		s.slept.Do(func() { s.machine.Sleep(time.Hour) })
	}
	return jobs, err
}

// TestMachineSleepsInAWorker makes the machine fall asleep after the keeper has
// claimed a job. A worker then handles the job before the keeper notices the sleep.
// The sleep must not end the job.
func TestMachineSleepsInAWorker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, 18*time.Second)
		w.store = &sleepyStore{Store: w.store, machine: &w.machine}
		w.again(time.Minute)
		time.Sleep(time.Minute)
		if w.machine.Slept() == 0 {
			t.Fatal("Slept: got 0, want some time")
		}
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// TestSFUClockIsAhead sets the clock of the SFU's machine to a wrong time. When the
// participant has left, the leave must still be sent without delay.
func TestSFUClockIsAhead(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, 10 * time.Second, time.Hour, 1000 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				w.set(func() { w.roomAt = time.Now().Add(ahead) })
				w.join("S1")
				w.delegate("d1", long)
				w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
				time.Sleep(time.Minute)
				w.vanish()
				left := time.Now()
				w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
				time.Sleep(10 * time.Minute)
				w.wantFate("d1", "sent", left, 2*grace.Outage)
			})
		})
	}
}

// openFile starts a new process on the same machine, in place of the present one. The
// new process stores its leaves in the file at path.
func (w *world) openFile(path string) *filestore.Store {
	w.t.Helper()
	w.stop()
	<-w.ended
	w.clock = w.machine.Clock()
	s, err := filestore.Open(w.t.Context(), path, w.clock, w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = s
	w.start()
	return s
}

// TestWallClockIsSetBetweenProcesses sets the wall clock while a process runs, and
// again while no process runs. The next process must still do everything in time.
func TestWallClockIsSetBetweenProcesses(t *testing.T) {
	for _, running := range append(jumps, 0) {
		for _, between := range append(jumps, 0) {
			t.Run(fmt.Sprintf("%v/%v", running, between), func(t *testing.T) {
				bubble(t, func(t *testing.T) { twoProcesses(t, running, between) })
			})
		}
	}
}

func twoProcesses(t *testing.T, running, between time.Duration) {
	const delay = 18 * time.Second
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "leaves.db")
	first := w.openFile(path)
	w.join("S1")
	w.delegate("d1", delay)
	w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
	time.Sleep(10 * time.Second)
	w.machine.Set(running)
	time.Sleep(10 * time.Second)
	w.stop()
	<-w.ended
	first.Close()
	w.machine.Set(between)
	time.Sleep(time.Second)
	second := w.openFile(path)
	defer second.Close()
	time.Sleep(5 * delay)
	w.wantFate("d1", "", time.Time{}, 0)
	w.delegate("d2", delay) // d2 must count as later than d1, although the wall clock was set
	time.Sleep(5 * delay)
	w.wantFate("d2", "", time.Time{}, 0)
	w.vanish()
	left := time.Now()
	w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
	time.Sleep(time.Minute)
	w.wantFate("d2", "sent", left, 2*grace.Outage)
	w.stop()
	<-w.ended
}
