package standby_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/standby"
)

func TestEndedStaysEnded(t *testing.T) {
	eachFault(t, func(t *testing.T, behind *faulty, what fault) {
		s := open(t, behind)
		names := []string{"ended", "lent", "restarted", "replaced", "again"}
		for _, name := range names {
			put(t, s, job(t, name))
		}
		behind.set(what)
		time.Sleep(time.Minute)
		for _, name := range names {
			end(t, s, get(t, s, job(t, name).Key))
		}
		put(t, s, delegated(t, "again", "again later", time.Now()))

		// Other replicas lease one of the jobs, restart a second one, and replace a third
		// one.
		lent := get(t, behind.Store, job(t, "lent").Key)
		lent.Lease = leave.Lease{Holder: "other", Until: time.Now().Add(time.Second)}
		save(t, behind.Store, lent)
		time.Sleep(time.Second)
		save(t, behind.Store, restarted(get(t, behind.Store, job(t, "restarted").Key)))
		put(t, behind.Store, delegated(t, "replaced", "replaced later", time.Now()))

		behind.set(none)
		time.Sleep(soon)
		wantDegraded(t, s, false)
		for name, want := range map[string]string{
			"ended": "", "lent": "", "restarted": "restarted", "replaced": "replaced later", "again": "again later",
		} {
			got, err := behind.Store.Get(t.Context(), job(t, name).Key)
			if want == "" {
				wantErr(t, "Get of "+name, err, leave.ErrNotFound)
			} else if err != nil || got.DelayID.String() != want {
				t.Errorf("the job %q in the store: got the delay id %q, %v, want %q", name, got.DelayID, err, want)
			}
		}
	})
}

func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		const n = 2000
		for i := range n {
			put(t, s, job(t, fmt.Sprint(i)))
		}
		ended := get(t, s, job(t, "0").Key)
		end(t, s, ended)
		forget(t, behind)
		put(t, behind.Store, delegated(t, "1", "1 later", time.Now().Add(time.Minute)))
		took(t, "Get", 0, func() { get(t, s, job(t, "2").Key) })
		time.Sleep(soon)
		wantDegraded(t, s, false)
		wantCount(t, behind.Store, n-1)
		if got := get(t, behind.Store, job(t, "1").Key); got.DelayID.String() != "1 later" {
			t.Errorf("got the delegation %q, want 1 later", got.DelayID)
		}
		forget(t, behind)
		behind.set(hangs)
		get(t, s, job(t, "2").Key)
		time.Sleep(time.Minute)
		behind.set(none)
		time.Sleep(soon)
		wantCount(t, behind.Store, n-1)
	})
}

// TestTwoReplicas has two replicas with copies of the same jobs. While their store is
// away, both change their copies. After the outage, the store must have the later
// change of each job.
func TestTwoReplicas(t *testing.T) {
	eachFault(t, func(t *testing.T, behind *faulty, what fault) {
		a, b := open(t, behind), open(t, behind)
		put(t, a, job(t, "shared"))
		if jobs, err := b.Claim(t.Context(), "b", time.Now(), 1); err != nil || len(jobs) != 1 {
			t.Fatalf("Claim: got %v, %v, want one job", jobs, err)
		}
		behind.set(what)
		for _, s := range []*standby.Store{a, b} {
			time.Sleep(20 * time.Second)
			write(t, s, get(t, s, job(t, "shared").Key), restarted)
		}
		onB := get(t, b, job(t, "shared").Key)
		put(t, a, delegated(t, "moved", "earlier", time.Now()))
		time.Sleep(time.Second)
		put(t, b, delegated(t, "moved", "later", time.Now()))

		behind.set(none)
		time.Sleep(soon)
		wantDegraded(t, a, false)
		wantDegraded(t, b, false)
		if got := get(t, a, onB.Key).Restarted; !got.Equal(onB.Restarted) {
			t.Errorf("Restarted is %v, want %v, the last restart of the two", got, onB.Restarted)
		}
		moved := get(t, a, job(t, "moved").Key)
		if moved.DelayID.String() != "later" || len(moved.Replaces) != 1 || moved.Replaces[0].String() != "earlier" {
			t.Errorf("the delegation: got %q, to cancel %q, want later, to cancel earlier", moved.DelayID, moved.Replaces)
		}
	})
}

// TestClaimedByTwo has a replica that gets no answer from the store. It works from its
// copies. So it also works on jobs that another replica has claimed. After the outage,
// the last write must count, and no job may be doubled or lost.
func TestClaimedByTwo(t *testing.T) {
	for _, what := range []fault{hangs, mute} {
		t.Run(map[fault]string{hangs: "hangs", mute: "mute"}[what], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { claimedByTwo(t, what) })
		})
	}
}

func claimedByTwo(t *testing.T, what fault) {
	const n = 10
	behind := newFaulty()
	a, b := open(t, behind), open(t, behind.another())
	for i := range n {
		put(t, a, job(t, fmt.Sprint(i)))
	}
	onB := claimAll(t, b, n)
	behind.set(what)
	var onA []leave.Job
	took(t, "Claim without an answer", time.Second, func() { onA = claimAll(t, a, n) })
	for i := range n {
		write(t, a, onA[i], worked)
		time.Sleep(100 * time.Millisecond)
		write(t, b, onB[i], worked)
	}
	end(t, a, get(t, a, onA[0].Key)) // both replicas end this job, as if both had sent its leave
	end(t, b, get(t, b, onA[0].Key))

	behind.set(none)
	time.Sleep(soon)
	wantDegraded(t, a, false)
	wantCount(t, behind.Store, n-1)
	for _, j := range onB[1:] {
		if got, want := get(t, a, j.Key), get(t, b, j.Key); !got.Restarted.Equal(want.Restarted) || got.Version != want.Version {
			t.Errorf("%v: got the restart %v and version %d, want b's: %v and %d", j.Key, got.Restarted, got.Version, want.Restarted, want.Version)
		}
	}
	time.Sleep(time.Hour)
	claimAll(t, a, n-1)
	claimAll(t, b, 0)
}

// claimAll claims all due jobs, and checks that their number is want.
func claimAll(t *testing.T, s leave.Store, want int) []leave.Job {
	t.Helper()
	jobs, err := s.Claim(t.Context(), "holder", time.Now(), want+1)
	if err != nil || len(jobs) != want {
		t.Fatalf("Claim = %d jobs, %v, want %d", len(jobs), err, want)
	}
	return jobs
}

// worked returns j with its delay restarted and without its lease. A keeper gives a job
// back to the store like this.
func worked(j leave.Job) leave.Job {
	j.Lease = leave.Lease{}
	return restarted(j)
}

func TestMostAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		put(t, s, job(t, "known"))
		behind.set(fails)
		const most = 50_000
		for i := range most {
			put(t, s, job(t, fmt.Sprint(i)))
		}
		_, err := s.Put(t.Context(), job(t, "one more"))
		if limit, ok := err.(*leave.LimitError); !ok || limit.Most != most {
			t.Errorf("Put: %v, want a *LimitError", err)
		}
		put(t, s, delegated(t, "known", "known later", time.Now().Add(time.Second)))
		end(t, s, get(t, s, job(t, "7").Key))
		put(t, s, job(t, "one more"))
		behind.set(none)
		time.Sleep(soon)
		wantDegraded(t, s, false)
		wantCount(t, behind.Store, most+1)
	})
}

// TestCallsDoNotPileUp has a store with a sleeping disk, so that calls to the store do
// not return. Besides the calls that the Store makes for its callers, only one call
// may run at a time.
func TestCallsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		behind.set(sleeps)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { s.Rooms(t.Context()) })
		}
		callers.Wait()
		time.Sleep(time.Hour)
		if n := behind.within.Load(); n > 21 {
			t.Errorf("%d calls wait for the store, want at most 21: those of the 20 callers and one more", n)
		}
		behind.set(none)
		time.Sleep(soon)
		wantDegraded(t, s, false)
	})
}

// TestPauses has a Store in front of a store that returns errors. The Store must ask
// that store again and again, with growing pauses.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		behind.set(fails)
		put(t, s, job(t, "a"))
		time.Sleep(time.Second)
		if n := behind.asked.Swap(0); n < 4 || n > 12 {
			t.Errorf("the store got %d calls in the first second, want 4 to 12", n)
		}
		time.Sleep(time.Minute)
		if n := behind.asked.Load(); n < 25 || n > 65 {
			t.Errorf("the store got %d calls in a minute, want 25 to 65", n)
		}
	})
}

// TestFull has a full disk: it answers questions, but accepts no writes. The outage
// must last until the disk has room again.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		put(t, s, job(t, "ended"))
		put(t, s, job(t, "written"))
		behind.set(full)
		const n = 1500 // more jobs than one call of Merge writes
		for i := range n {
			put(t, s, job(t, fmt.Sprint(i)))
		}
		end(t, s, get(t, s, job(t, "ended").Key))
		write(t, s, get(t, s, job(t, "written").Key), restarted)
		time.Sleep(10 * time.Minute)
		if status := wantDegraded(t, s, true); status.Unmerged != n+2 {
			t.Errorf("Status.Unmerged is %d, want %d", status.Unmerged, n+2)
		}
		behind.set(none)
		time.Sleep(soon)
		wantDegraded(t, s, false)
		wantCount(t, behind.Store, n+1)
	})
}

// TestFullDoesNotFlap has a full disk, which seems to work while there is nothing to
// write. The Store must not begin and end outages all the time.
func TestFullDoesNotFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := open(t, behind)
		behind.set(full)
		for range 5 * 60 * 20 {
			s.Claim(t.Context(), "holder", time.Now(), 1)
			time.Sleep(50 * time.Millisecond)
		}
		if n := s.Status().Outages; n > 200 {
			t.Errorf("got %d outages in five minutes, want at most 200", n)
		}
		behind.set(none)
		time.Sleep(soon + time.Minute)
		behind.set(fails)
		put(t, s, job(t, "a"))
		behind.set(none)
		time.Sleep(150 * time.Millisecond)
		wantDegraded(t, s, false)
	})
}
