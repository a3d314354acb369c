package standby_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// TestVersionsDoNotCross reads a job from the store, and writes it during an outage, in
// which the Store answers from memory. It also reads a job from memory, and writes it
// when the store answers again. Both writes must fail.
func TestVersionsDoNotCross(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		put(t, s, job(t, "a"))
		fromStore := get(t, s, job(t, "a").Key)

		behind.set(fails)
		fromMemory := get(t, s, fromStore.Key)
		_, err := s.Save(t.Context(), fromStore)
		wantErr(t, "Save to memory", err, leave.ErrConflict)
		wantErr(t, "Delete from memory", s.Delete(t.Context(), fromStore), leave.ErrConflict)
		fromMemory = save(t, s, fromMemory)

		behind.set(none)
		time.Sleep(soon)
		_, err = s.Save(t.Context(), fromMemory)
		wantErr(t, "Save to the store", err, leave.ErrConflict)
		wantErr(t, "Delete from the store", s.Delete(t.Context(), fromMemory), leave.ErrConflict)
		wantDegraded(t, s, false)

		behind.set(fails)
		get(t, s, fromStore.Key)
		_, err = s.Save(t.Context(), fromMemory)
		wantErr(t, "Save to memory, in the next outage", err, leave.ErrConflict)
	})
}

// TestStrayWrite writes or deletes a job during an outage. The Store has no copy of the
// job, because another replica works on the job. After the outage, the store behind
// the Store must get the change.
func TestStrayWrite(t *testing.T) {
	eachFault(t, func(t *testing.T, behind *faulty, what fault) {
		s := open(t, behind)
		for _, name := range []string{"saved", "ended"} {
			put(t, behind.Store, job(t, name))
		}
		saved, ended := get(t, s, job(t, "saved").Key), get(t, s, job(t, "ended").Key)
		behind.set(what)
		left := save(t, s, saved.Left(time.Now(), "PA_1", sfu.ReasonClear, leave.Grace{}))
		if left.LeftSession != "PA_1" {
			t.Errorf("Save: got %+v, want the left session PA_1", left)
		}
		if err := s.Delete(t.Context(), ended); err != nil {
			t.Errorf("Delete: got %v, want no error", err)
		}
		wantErr(t, "Delete again", s.Delete(t.Context(), ended), leave.ErrConflict)
		behind.set(none)
		time.Sleep(soon)
		if got := get(t, behind.Store, saved.Key).LeftSession; got != "PA_1" {
			t.Errorf("LeftSession in the store after the outage is %q, want PA_1", got)
		}
		_, err := behind.Store.Get(t.Context(), ended.Key)
		wantErr(t, "Get of the job that ended", err, leave.ErrNotFound)
	})
}

// overtaken makes two calls. The answer to the first call comes later than the answer
// to the second call.
func overtaken(t *testing.T, behind *faulty, first, then func()) {
	t.Helper()
	behind.set(slow)
	var call sync.WaitGroup
	call.Go(first)
	synctest.Wait()
	behind.set(none)
	then()
	call.Wait()
}

func TestAnswersOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		put(t, s, job(t, "a"))
		j := get(t, s, job(t, "a").Key)
		overtaken(t, behind, func() { save(t, s, j.Joined(time.Now(), "PA_1")) }, func() {
			time.Sleep(time.Millisecond)
			write(t, s, get(t, s, j.Key), restarted)
		})
		j = get(t, behind.Store, j.Key)

		gone := job(t, "gone")
		put(t, s, gone)
		overtaken(t, behind, func() { end(t, s, get(t, behind.Store, gone.Key)) }, func() {
			put(t, s, delegated(t, "gone", "later", time.Now().Add(time.Second)))
		})
		again := job(t, "again")
		put(t, s, again)
		put(t, s, again) // acts like a client that got no answer and tries again
		write(t, s, get(t, s, again.Key), func(j leave.Job) leave.Job { j.Looks = 7; return j })
		put(t, s, again)

		behind.set(fails)
		if got := get(t, s, j.Key); !got.Restarted.Equal(j.Restarted) {
			t.Errorf("Restarted of the copy is %v, want %v", got.Restarted, j.Restarted)
		}
		if got := get(t, s, gone.Key); got.DelayID.String() != "later" {
			t.Errorf("the copy: got the delay id %q, want later", got.DelayID)
		}
		if got := get(t, s, again.Key); got.Looks != 7 {
			t.Errorf("the copy has %d looks, want 7", got.Looks)
		}
	})
}

// TestAnswerInOutage has a call whose answer comes late, after another call has
// begun an outage. The copy in memory must get the change of the late answer. But
// if the job has ended in the meantime, the late answer must not bring the copy
// back.
func TestAnswerInOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		for _, name := range []string{"saved", "ended"} {
			put(t, s, job(t, name))
		}
		inOutage := func(answer, then func()) {
			overtaken(t, behind, answer, func() {
				behind.set(fails)
				then()
			})
		}
		saved := get(t, s, job(t, "saved").Key)
		inOutage(func() { saved = save(t, s, restarted(saved)) }, func() { get(t, s, saved.Key) })
		if got := get(t, s, saved.Key); !got.Restarted.Equal(saved.Restarted) {
			t.Errorf("Restarted of the copy is %v, want %v, as the late answer says", got.Restarted, saved.Restarted)
		}
		behind.set(none)
		time.Sleep(soon)
		ended := get(t, s, job(t, "ended").Key)
		inOutage(func() { save(t, s, restarted(ended)) }, func() { end(t, s, get(t, s, ended.Key)) })
		_, err := s.Get(t.Context(), ended.Key)
		wantErr(t, "Get of what ended", err, leave.ErrNotFound)
	})
}
