package standby_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/leave/standby"
)

// resident is a store that has its jobs in memory and on a disk. The disk can have
// faults. The field written is what the disk holds.
type resident struct {
	*memstore.Store
	disk *faulty

	mu      sync.Mutex
	written map[leave.Key]leave.Job
}

func newResident() *resident {
	return &resident{Store: memstore.New(), disk: newFaulty(), written: map[leave.Key]leave.Job{}}
}

var _ standby.Resident = (*resident)(nil)

func (r *resident) Memory() *memstore.Store { return r.Store }

func (r *resident) Commit(ctx context.Context, keys ...leave.Key) error {
	return r.disk.writes(ctx, 0, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, key := range keys {
			if job, err := r.Store.Get(ctx, key); err == nil {
				r.written[key] = job
			} else {
				delete(r.written, key)
			}
		}
		return nil
	})
}

func (r *resident) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	replaced, err := r.Store.Put(ctx, job)
	if err != nil {
		return nil, err
	}
	return replaced, r.Commit(ctx, job.Key)
}

func (r *resident) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	saved, err := r.Store.Save(ctx, job)
	if err != nil {
		return leave.Job{}, err
	}
	return saved, r.Commit(ctx, job.Key)
}

func (r *resident) Delete(ctx context.Context, job leave.Job) error {
	if err := r.Store.Delete(ctx, job); err != nil {
		return err
	}
	return r.Commit(ctx, job.Key)
}

func (r *resident) Merge(ctx context.Context, jobs []leave.Job) error {
	if err := r.Store.Merge(ctx, jobs); err != nil {
		return err
	}
	for _, job := range jobs {
		if err := r.Commit(ctx, job.Key); err != nil {
			return err
		}
	}
	return nil
}

// wantWritten checks that the disk has the same jobs as memory. It ignores leases and
// versions.
func (r *resident) wantWritten(t *testing.T) {
	t.Helper()
	plain := func(j leave.Job) leave.Job {
		j.Version, j.Lease = 0, leave.Lease{}
		return j
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.Keys()
	if len(keys) != len(r.written) {
		t.Errorf("got %d jobs on the disk, want %d", len(r.written), len(keys))
	}
	for _, key := range keys {
		if job := get(t, r.Store, key); !reflect.DeepEqual(plain(r.written[key]), plain(job)) {
			t.Errorf("on the disk: got the job %+v, want %+v", r.written[key], job)
		}
	}
}

func TestConformanceOfResident(t *testing.T) {
	leavetest.RunVirtual(t, func(t *testing.T) leavetest.Store { return open(t, newResident()) })
}

func TestConformanceOfResidentInOutage(t *testing.T) {
	leavetest.RunVirtual(t, func(t *testing.T) leavetest.Store {
		r := newResident()
		r.disk.set(full)
		s := open(t, r)
		wantDegraded(t, s, true)
		return standby.WithoutHaste(s)
	})
}

// TestResidentGoesOn checks that the Store goes on while the disk of a Resident fails.
// The Store must use the memory of the Resident, and make no copies.
func TestResidentGoesOn(t *testing.T) {
	for name, what := range map[string]fault{"fails": fails, "hangs": hangs, "sleeps": sleeps, "mute": mute, "full": full} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newResident()
				old := job(t, "from the file")
				put(t, r, old)
				s := open(t, r)
				wantDegraded(t, s, false)
				for _, name := range []string{"saved", "ended", "restarted"} {
					put(t, s, job(t, name))
				}
				r.disk.set(what)
				first := time.Second
				if what == fails || what == full {
					first = 0
				}
				took(t, "the first call", first, func() { put(t, s, job(t, "first")) })
				took(t, "what follows", 0, func() {
					put(t, s, job(t, "second"))
					write(t, s, get(t, s, old.Key), restarted)
					save(t, s, get(t, s, job(t, "saved").Key).Joined(time.Now(), "PA_1"))
					end(t, s, get(t, s, job(t, "ended").Key))
				})
				_, err := s.Get(t.Context(), job(t, "never there").Key)
				if !errors.Is(err, leave.ErrNotFound) || errors.Is(err, leave.ErrAway) {
					t.Errorf("Get of a job that never existed: got %v, want ErrNotFound without ErrAway", err)
				}
				if status := wantDegraded(t, s, true); status.Copies != 5 {
					t.Errorf("Status: got %+v, want Copies to be 5", status)
				}
				time.Sleep(time.Hour)
				wantDegraded(t, s, true)
				r.disk.set(none)
				time.Sleep(soon)
				wantDegraded(t, s, false)
				r.wantWritten(t)
				wantCount(t, s, 5)
			})
		})
	}
}

// TestResidentIsAskedApart lets the disk sleep, so that it does not answer the Store's
// questions. The Store asks in the background. Meanwhile, calls of the Store must return
// without waiting for the disk.
func TestResidentIsAskedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResident()
		s := open(t, r)
		r.disk.set(sleeps)
		put(t, s, job(t, "a"))
		took(t, "a thousand calls", 10*time.Second, func() {
			for range 1000 {
				get(t, s, job(t, "a").Key)
				time.Sleep(10 * time.Millisecond)
			}
		})
		r.disk.set(none)
	})
}

// TestNothingOfAResidentIsLost has many goroutines that write jobs, while the disk
// fails again and again. At the end, the disk must have what each goroutine has written
// last.
func TestNothingOfAResidentIsLost(t *testing.T) { eachSeed(t, 10, residentComesAndGoes) }

func residentComesAndGoes(t *testing.T, seed uint64) {
	r := newResident()
	s := open(t, r)
	results := make([][]wanted, 20)
	var workers sync.WaitGroup
	for i := range results {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		workers.Go(func() { results[i] = worker(t, s, fmt.Sprint("worker", i), random) })
	}
	random := rand.New(rand.NewPCG(seed, 1000))
	for range 30 {
		time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
		r.disk.set([]fault{fails, hangs, mute, full, sleeps}[random.IntN(5)])
		time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
		r.disk.set(none)
	}
	workers.Wait()
	time.Sleep(soon)
	wantDegraded(t, s, false)
	for _, result := range results {
		for _, w := range result {
			w.check(t, r)
		}
	}
	r.wantWritten(t)
}

// TestCloseOfASleepingDisk has a disk that never answers. Close must return in time
// nevertheless.
func TestCloseOfASleepingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		awake := make(chan struct{})
		s := standby.New(t.Context(), closing{memstore.New(), awake}, quiet(), nil)
		took(t, "Close", 5*time.Second, func() { s.Close() })
		close(awake)
	})
}

// closing is a store whose Close waits until awake is closed.
type closing struct {
	*memstore.Store
	awake chan struct{}
}

func (c closing) Close() error {
	<-c.awake
	return nil
}
