package standby_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/leave/standby"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// fault is a way in which a store fails.
type fault int32

const (
	none   fault = iota
	fails        // the store returns an error immediately
	hangs        // the store does nothing until the context of the call ends
	sleeps       // the store does nothing until the fault ends, even if the context of the call ends earlier
	mute         // the store does its work, but sends no answer
	full         // the store answers questions, but cannot write
	slow         // the store does its work, and answers half a second later
)

// errFails is a long error of several lines. Some servers return such errors.
var errFails = errors.New("no space left on device\n" + strings.Repeat("x", 10_000))

// faulty is a store with faults, as one replica sees it. The field Store is the same
// store without the faults. Tests use it to do what other replicas do.
type faulty struct {
	*memstore.Store
	fault  atomic.Int32
	lost   atomic.Bool  // whether the store has lost its jobs, and Merge has not been called since then
	asked  atomic.Int32 // how many calls the store has got
	within atomic.Int32 // how many calls have not returned yet

	mu    sync.Mutex
	awake chan struct{}
}

func newFaulty() *faulty { return &faulty{Store: memstore.New(), awake: make(chan struct{})} }

// another returns a second view of the same store, for another replica. The second view
// has no fault.
func (f *faulty) another() *faulty { return &faulty{Store: f.Store, awake: make(chan struct{})} }

func (f *faulty) set(what fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault(f.fault.Swap(int32(what))) == sleeps {
		close(f.awake)
		f.awake = make(chan struct{})
	}
}

// forget makes the store lose all its jobs. Each replica calls the store through its own
// value of the type faulty, and ends holds the values of all replicas. From now on,
// calls through these values return ErrForgotten, until Merge is called.
func forget(t *testing.T, ends ...*faulty) {
	t.Helper()
	for _, f := range ends {
		f.lost.Store(true)
	}
	for _, key := range ends[0].Keys() {
		end(t, ends[0].Store, get(t, ends[0].Store, key))
	}
}

func (f *faulty) through(ctx context.Context, do func() error) error {
	f.asked.Add(1)
	f.within.Add(1)
	defer f.within.Add(-1)
	f.mu.Lock()
	what, awake := fault(f.fault.Load()), f.awake
	f.mu.Unlock()
	switch what {
	case fails:
		return errFails
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	case sleeps:
		<-awake
	case mute:
		if !f.lost.Load() {
			_ = do()
		}
		<-ctx.Done()
		return ctx.Err()
	}
	if f.lost.Load() {
		return leave.ErrForgotten
	}
	err := do()
	if what == slow {
		time.Sleep(500 * time.Millisecond)
	}
	return err
}

// writes is like f.through, but for a write. It also fails if the disk is full, or if
// the version is larger than a database can store.
func (f *faulty) writes(ctx context.Context, version uint64, do func() error) error {
	if fault(f.fault.Load()) == full || version > math.MaxInt64 {
		return errFails
	}
	return f.through(ctx, do)
}

func (f *faulty) Put(ctx context.Context, job leave.Job) (replaced *leave.Job, err error) {
	err = f.writes(ctx, job.Version, func() (err error) { replaced, err = f.Store.Put(ctx, job); return err })
	return replaced, err
}

func (f *faulty) Get(ctx context.Context, key leave.Key) (job leave.Job, err error) {
	err = f.through(ctx, func() (err error) { job, err = f.Store.Get(ctx, key); return err })
	return job, err
}

func (f *faulty) Save(ctx context.Context, job leave.Job) (saved leave.Job, err error) {
	err = f.writes(ctx, job.Version, func() (err error) { saved, err = f.Store.Save(ctx, job); return err })
	return saved, err
}

func (f *faulty) Delete(ctx context.Context, job leave.Job) error {
	return f.writes(ctx, job.Version, func() error { return f.Store.Delete(ctx, job) })
}

func (f *faulty) Claim(ctx context.Context, holder string, now time.Time, n int) (jobs []leave.Job, err error) {
	err = f.writes(ctx, 0, func() (err error) { jobs, err = f.Store.Claim(ctx, holder, now, n); return err })
	return jobs, err
}

func (f *faulty) ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) (rooms []sfu.Room, err error) {
	err = f.through(ctx, func() (err error) { rooms, err = f.Store.ClaimRooms(ctx, now, every, n); return err })
	return rooms, err
}

func (f *faulty) Room(ctx context.Context, room sfu.Room) (jobs []leave.Job, err error) {
	err = f.through(ctx, func() (err error) { jobs, err = f.Store.Room(ctx, room); return err })
	return jobs, err
}

func (f *faulty) Rooms(ctx context.Context) (rooms []sfu.Room, err error) {
	err = f.through(ctx, func() (err error) { rooms, err = f.Store.Rooms(ctx); return err })
	return rooms, err
}

func (f *faulty) Count(ctx context.Context, user matrix.UserID) (counts leave.Counts, err error) {
	err = f.through(ctx, func() (err error) { counts, err = f.Store.Count(ctx, user); return err })
	return counts, err
}

func (f *faulty) Merge(ctx context.Context, jobs []leave.Job) error {
	if fault(f.fault.Load()) == none {
		f.lost.Store(false)
	}
	for _, job := range jobs {
		if job.Version > math.MaxInt64 {
			return errFails
		}
	}
	return f.writes(ctx, 0, func() error { return f.Store.Merge(ctx, jobs) })
}

// job returns a job with a delay of an hour. The argument name is the job's room,
// identity and delay id.
func job(t testing.TB, name string) leave.Job { return delegated(t, name, name, time.Now()) }

// delegated returns a job with a delay of an hour, which was delegated at the given
// time.
func delegated(t testing.TB, name, delayID string, at time.Time) leave.Job {
	t.Helper()
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		t.Fatal(err)
	}
	id, err := matrix.ParseDelayID(delayID)
	if err != nil {
		t.Fatal(err)
	}
	return leave.New(leave.Key{Room: sfu.Room(name), Identity: sfu.Identity(name)}, user, id, time.Hour, at)
}

func put(t *testing.T, s leave.Store, j leave.Job) *leave.Job {
	t.Helper()
	replaced, err := s.Put(t.Context(), j)
	if err != nil {
		t.Fatalf("Put: got %v, want no error", err)
	}
	return replaced
}

func get(t *testing.T, s leave.Store, key leave.Key) leave.Job {
	t.Helper()
	j, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%v): got %v, want no error", key, err)
	}
	return j
}

func save(t *testing.T, s leave.Store, j leave.Job) leave.Job {
	t.Helper()
	saved, err := s.Save(t.Context(), j)
	if err != nil {
		t.Fatalf("Save: got %v, want no error", err)
	}
	return saved
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// write changes a job and saves it, as a keeper does. After a conflict, it reads the
// job again, and changes and saves that job.
func write(t *testing.T, s leave.Store, j leave.Job, change func(leave.Job) leave.Job) {
	t.Helper()
	for range 3 {
		_, err := s.Save(t.Context(), change(j))
		if err == nil {
			return
		}
		wantErr(t, "Save", err, leave.ErrConflict)
		j = get(t, s, j.Key)
	}
	t.Error("got nothing but conflicts, want an end of them")
}

// end deletes a job, as a keeper does. After a conflict, it reads the job again, and
// deletes that job.
func end(t *testing.T, s leave.Store, j leave.Job) {
	t.Helper()
	for range 3 {
		err := s.Delete(t.Context(), j)
		if err == nil {
			return
		}
		wantErr(t, "Delete", err, leave.ErrConflict)
		j = get(t, s, j.Key)
	}
	t.Error("got nothing but conflicts, want an end of them")
}

func restarted(j leave.Job) leave.Job { return j.RestartDone(time.Now(), 48*time.Minute) }

func wantDegraded(t *testing.T, s *standby.Store, want bool) standby.Status {
	t.Helper()
	status := s.Status()
	if status.Degraded != want {
		t.Fatalf("Status: got %+v, want Degraded to be %v", status, want)
	}
	return status
}

// took calls the function do, and checks that it takes exactly as long as want says.
func took(t *testing.T, what string, want time.Duration, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if got := time.Since(begin); got != want {
		t.Errorf("%s took %v, want %v", what, got, want)
	}
}
