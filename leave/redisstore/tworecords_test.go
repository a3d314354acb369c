package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// TestTwoRecords has a key with two records. First, a job was stored in the second
// record format. Then a replica of version 0.2.0, which does not know this format,
// stored another delegation of the key in the first format. The next call about the
// key must merge the two records. The merged job must cancel the earlier of the two
// leaves.
func TestTwoRecords(t *testing.T) {
	asks := map[string]func(u *upgrade, key leave.Key){
		"Get": func(u *upgrade, key leave.Key) { get(u.T, u.second, key, nil) },
		"Save": func(u *upgrade, key leave.Key) {
			u.wantConflict(key, func(job leave.Job) error { _, err := u.second.Save(u.Context(), job); return err })
		},
		"Delete": func(u *upgrade, key leave.Key) {
			u.wantConflict(key, func(job leave.Job) error { return u.second.Delete(u.Context(), job) })
		},
		"Put": func(u *upgrade, key leave.Key) {
			if _, err := u.second.Put(u.Context(), u.named("earliest", 2*time.Hour)); !errors.Is(err, leave.ErrSuperseded) {
				u.Errorf("Put of an earlier delegation: got %v, want ErrSuperseded", err)
			}
			get(u.T, u.second, key, nil)
		},
		"Merge": func(u *upgrade, key leave.Key) { merge(u.T, u.second, u.named("before", time.Hour)) },
		"Claim": func(u *upgrade, _ leave.Key) { u.claim(u.second); u.claim(u.second) },
	}
	for name, ask := range asks {
		for _, later := range []string{"first", "second"} {
			t.Run(name+", the later is in the "+later, func(t *testing.T) {
				u := newUpgrade(t, newSecond(t))
				inFirst, inSecond := u.named("after", 0), u.named("before", time.Hour)
				if later == "second" {
					inFirst, inSecond = inSecond, inFirst
				}
				put(t, u.second, inSecond)
				if _, err := u.first.Put(t.Context(), inFirst); err != nil {
					t.Fatal(err)
				}
				u.want(1, 1)
				ask(u, inFirst.Key)
				got := get(t, u.second, inFirst.Key, nil)
				if got.DelayID.String() != "after" || len(got.Replaces) != 1 || got.Replaces[0].String() != "before" {
					t.Errorf("the job has the delay id %v and replaces %v, want \"after\", which replaces \"before\"", got.DelayID, got.Replaces)
				}
				u.wantAll(u.second, []leave.Job{got})
				if jobs, err := u.second.Room(t.Context(), inFirst.Room); err != nil || len(jobs) != 1 {
					t.Errorf("Room: got %v, %v, want one job", jobs, err)
				}
			})
		}
	}
}

// named returns a job with the given delay id. The argument ago says how long ago it
// was delegated. All these jobs have the same key.
func (u *upgrade) named(delayID string, ago time.Duration) leave.Job {
	job := u.delegated("key", ago)
	id, err := matrix.ParseDelayID(delayID)
	if err != nil {
		u.Fatal(err)
	}
	job.DelayID = id
	return job
}

// wantConflict reads the job from the record in the first record format, and passes the
// job to the function write. It checks that write returns ErrConflict, and that the two
// records are then merged into one.
func (u *upgrade) wantConflict(key leave.Key, write func(leave.Job) error) {
	u.Helper()
	job, err := u.first.Get(u.Context(), key)
	if err != nil {
		u.Fatal(err)
	}
	if err := write(job); !errors.Is(err, leave.ErrConflict) {
		u.Errorf("writing one of the two records: got %v, want ErrConflict", err)
	}
	if old, now := u.server.HGet(jobsKey, "3:key:key"), u.records(); (old == "") == (now == 0) {
		u.Errorf("got the record %q in the first format and %d records in the second, want one record in all", old, now)
	}
}
