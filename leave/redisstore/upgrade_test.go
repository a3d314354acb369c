package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/redisstore/internal/first"
)

// upgrade is a test set-up: a fake of Redis whose clock the test sets, a replica of
// version 0.2.0, and a replica of this version.
type upgrade struct {
	*testing.T
	server  *miniredis.Miniredis
	machine clocktest.Machine
	clock   *clock.Clock
	first   *first.Store      // a replica of version 0.2.0, which knows only the first record format (the older one)
	second  *redisstore.Store // a replica of this version
}

func newUpgrade(t *testing.T, server *miniredis.Miniredis) *upgrade {
	u := &upgrade{T: t, server: server}
	u.clock = u.machine.Clock()
	u.pass(0)
	u.first = openFirst(t, server)
	u.first.SetClock(u.clock)
	u.second = openWith(t, redisstore.Options{URL: redisurl.Must("redis://" + server.Addr()), Clock: u.clock})
	return u
}

// pass makes the time d pass, on our machine and on the Redis server.
func (u *upgrade) pass(d time.Duration) {
	u.machine.Sleep(d)
	u.clock.Ahead() // makes the clock notice the sleep immediately; Now can take a millisecond longer
	u.server.SetTime(u.machine.Wall())
}

// later makes the time d pass. In this time, it calls Claim of each given store every
// 10 s. The caller must make sure that no job is due in this time.
func (u *upgrade) later(d time.Duration, stores ...leave.Store) {
	u.Helper()
	for range d / (10 * time.Second) {
		u.pass(10 * time.Second)
		for _, s := range stores {
			u.claim(s)
		}
	}
}

func (u *upgrade) claim(s leave.Store) []leave.Job {
	u.Helper()
	jobs, err := s.Claim(u.Context(), "holder", u.clock.Now(), 1000)
	if err != nil {
		u.Fatalf("Claim: got %v, want no error", err)
	}
	return jobs
}

// fill stores n jobs in s, and returns them. They are due in 30 hours.
func (u *upgrade) fill(s leave.Store, n int) (jobs []leave.Job) {
	u.Helper()
	for i := range n {
		job := u.delegated(fmt.Sprint("job", i), 0)
		job.Key.Room = job.Key.Room[:4] // only the first four bytes of the room's name, so that the jobs are in ten rooms
		if _, err := s.Put(u.Context(), job); err != nil {
			u.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// delegated returns a job that is due 30 hours after its delegation. The argument ago
// says how long ago the job was delegated.
func (u *upgrade) delegated(name string, ago time.Duration) leave.Job {
	job := delegation(u.T, name, u.clock.Now().Add(-ago))
	job.NextLook, job.NextRestart = job.AcceptedAt.Add(30*time.Hour), job.AcceptedAt.Add(30*time.Hour)
	job.Deadline = job.NextLook
	return job
}

// want checks how many records the server has in the first record format and in the
// second record format.
func (u *upgrade) want(inFirst, inSecond int) {
	u.Helper()
	old, _ := u.server.HKeys(jobsKey) // an error means that there is no such hash
	if len(old) != inFirst || u.records() != inSecond {
		u.Errorf("got %d records in the first format and %d in the second, want %d and %d", len(old), u.records(), inFirst, inSecond)
	}
	index, _ := u.server.ZMembers(indexKey)
	if len(index) != inFirst {
		u.Errorf("got %d jobs in the index of the first format, want %d", len(index), inFirst)
	}
}

// wantAll checks that s holds exactly the given jobs, and that its counts are right.
func (u *upgrade) wantAll(s leave.Store, jobs []leave.Job) {
	u.Helper()
	for _, job := range jobs {
		got, err := s.Get(u.Context(), job.Key)
		if err != nil || got.DelayID != job.DelayID || got.State != job.State {
			u.Errorf("Get(%v): got the state %s, the delay id %v and the error %v, want %s and %v", job.Key, got.State, got.DelayID, err, job.State, job.DelayID)
		}
	}
	counts, err := s.Count(u.Context(), jobs[0].User)
	if err != nil || counts.All != len(jobs) || counts.OfUser != len(jobs) || counts.OfServer != len(jobs) || counts.ByState[leave.Waiting] != len(jobs) {
		u.Errorf("Count: got %+v, %v, want %d jobs in every count", counts, err, len(jobs))
	}
}

// TestUpgrade checks the format of records while an operator upgrades the replicas.
// While a replica of version 0.2.0 runs, jobs must stay in the first record format, the
// only one that it knows. When it has ended, all jobs must move into the second record
// format. When a replica of version 0.2.0 comes back, all jobs must move back.
func TestUpgrade(t *testing.T) {
	u := newUpgrade(t, miniredis.RunT(t))
	const n = 120
	jobs := u.fill(u.first, n)
	u.later(3*time.Minute, u.first, u.second)
	u.want(n, 0)
	u.wantAll(u.second, jobs)
	versions := u.versions(jobs)

	u.later(50*time.Second, u.second) // from here on, only the replica of this version runs
	u.want(n, 0)
	u.later(time.Minute, u.second)
	u.want(0, n)
	u.wantAll(u.second, jobs)
	if rooms, err := u.second.ClaimRooms(u.Context(), u.clock.Now(), 0, 100); err != nil || len(rooms) != 10 {
		t.Errorf("ClaimRooms = %v, %v, want ten", rooms, err)
	}
	for key, version := range u.versions(jobs) {
		if version != versions[key] {
			t.Errorf("the version of %v after its move: got %d, want %d, because nobody has written the job", key, version, versions[key])
		}
	}

	again := openFirst(t, u.server) // acts like an operator who goes back to version 0.2.0
	again.SetClock(u.clock)
	u.later(2*time.Minute, again, u.second)
	u.want(n, 0)
	u.wantAll(again, jobs)
	u.later(3*time.Minute, u.second)
	u.want(0, n)
	u.wantAll(u.second, jobs)
}

// records returns how many records the server has in the second record format.
func (u *upgrade) records() int {
	now, _ := u.server.HKeys(recordsKey) // an error means that there is no such hash
	return len(now)
}

// TestHeld sets sinceKey to a time in the future. An operator can do this before going
// back to version 0.2.0, which knows only the first record format. All jobs must move
// into the first record format and stay there.
func TestHeld(t *testing.T) {
	u := newUpgrade(t, newSecond(t))
	const n = 70
	jobs := u.fill(u.second, n)
	u.want(0, n)
	if err := u.server.Set(sinceKey, held); err != nil {
		t.Fatal(err)
	}
	u.later(30*time.Minute, u.second)
	u.want(n, 0)
	u.wantAll(u.first, jobs)
	u.server.Del(sinceKey)
	u.later(2*time.Minute, u.second)
	u.want(0, n)
	u.wantAll(u.second, jobs)
}

// TestHeldByNoNumber sets sinceKey to a text that is no valid number. Such a text must
// have the same effect as a time in the future (see TestHeld): all jobs move into the
// first record format.
func TestHeldByNoNumber(t *testing.T) {
	for _, since := range []string{"", "soon", "9999999999999ms", "nan", "\xff"} {
		t.Run(fmt.Sprintf("%q", since), func(t *testing.T) {
			u := newUpgrade(t, newSecond(t))
			jobs := u.fill(u.second, 3)
			if err := u.server.Set(sinceKey, since); err != nil {
				t.Fatal(err)
			}
			u.later(3*time.Minute, u.second)
			u.want(len(jobs), 0)
			u.wantAll(u.first, jobs)
		})
	}
}

// versions returns the versions that this release's replica reads for the given jobs,
// by key.
func (u *upgrade) versions(jobs []leave.Job) map[leave.Key]uint64 {
	u.Helper()
	all := map[leave.Key]uint64{}
	for _, job := range jobs {
		all[job.Key] = get(u.T, u.second, job.Key, nil).Version
	}
	return all
}

// TestUpgradeKeepsLease moves a leased job into the other record format. The job must
// keep its lease, and the holder of the lease must still be able to write the job.
func TestUpgradeKeepsLease(t *testing.T) {
	u := newUpgrade(t, miniredis.RunT(t))
	due := u.delegated("due", 0)
	due.NextLook = due.AcceptedAt.Add(55 * time.Second)
	put(t, u.second, due)
	u.later(50*time.Second, u.second)
	u.pass(6 * time.Second)
	lent := u.claim(u.second)
	if len(lent) != 1 {
		t.Fatalf("Claim: got %v, want one job", lent)
	}
	u.pass(5 * time.Second)
	if stolen := u.claim(u.second); len(stolen) > 0 {
		t.Errorf("Claim of a lent job: got %v, want none", stolen)
	}
	u.want(0, 1)
	if got := get(t, u.second, due.Key, nil); got.Version != lent[0].Version || !got.Lease.Until.Equal(lent[0].Lease.Until) || got.Lease.Holder != "holder" {
		t.Errorf("the moved job: got %+v, want the version and the lease of %+v", got, lent[0])
	}
	if _, err := u.second.Save(t.Context(), lent[0]); err != nil {
		t.Errorf("Save by the holder: got %v, want no error", err)
	}
	if _, err := u.second.Save(t.Context(), lent[0]); !errors.Is(err, leave.ErrConflict) {
		t.Errorf("Save of the version before: %v, want ErrConflict", err)
	}
}

// TestWritesAlone has a replica of version 0.2.0 that writes jobs but does not claim
// any, because all its workers are busy. Its writes alone must keep the jobs in the
// first record format, the only one that it knows.
func TestWritesAlone(t *testing.T) {
	u := newUpgrade(t, miniredis.RunT(t))
	job := u.delegated("job", 0)
	if _, err := u.first.Put(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		u.later(30*time.Second, u.second)
		got, err := u.first.Get(t.Context(), job.Key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.first.Save(t.Context(), got); err != nil {
			t.Fatal(err)
		}
	}
	u.want(1, 0)
	u.later(80*time.Second, u.second)
	u.want(0, 1)
}
