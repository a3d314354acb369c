//go:build redis

package redisstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/redisstore/redistest"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// mostBytes is how many bytes of Redis' memory one leave may need. docs/scaling.md
// promises this.
const mostBytes = 400

// TestMemory checks that a connected job needs at most mostBytes of Redis' memory in a
// store of 100,000 jobs. The store divides the due times of its jobs among several
// sorted sets, the parts. To save time, the test makes only an eighth of the jobs, all
// in an eighth of the parts. So each of these parts is as full as in the whole store.
func TestMemory(t *testing.T) {
	for _, c := range []crowd{
		{perRoom: 50, perUser: 50}, // the same numbers as in the target bench-scale of the Makefile
		{perRoom: 50, perUser: 1, hashed: true},
	} {
		t.Run(fmt.Sprintf("%d in a room, %d of a user", c.perRoom, c.perUser), func(t *testing.T) {
			const parts, leaves = redisstore.Parts / 16, 100_000 / 16
			jobs := slices.Concat(c.jobs(t, 0, parts, leaves), c.jobs(t, parts, 2*parts, leaves))
			got := perLeave(t, jobs)
			t.Logf("a leave needs %d bytes", got)
			if got > mostBytes {
				t.Errorf("a leave needs %d bytes, want at most %d", got, mostBytes)
			}
		})
	}
}

// crowd says how many jobs each room and each user has, and whether the identities are
// hashes.
type crowd struct {
	perRoom, perUser int
	hashed           bool // whether the identities are hashes, as with new clients
}

// jobs returns n jobs in rooms whose part (see TestMemory) has a number of at least from
// and less than to.
func (c crowd) jobs(t *testing.T, from, to, n int) (jobs []leave.Job) {
	t.Helper()
	for room := 0; len(jobs) < n; room++ {
		name := hashed("room", room)
		if part := redisstore.Part(sfu.Room(name)); part < from || part >= to {
			continue
		}
		for range c.perRoom {
			jobs = append(jobs, c.present(t, name, from*n+len(jobs)))
		}
	}
	return jobs
}

// perLeave returns how many bytes of Redis' memory a job takes in the second record
// format (the newer one). It stores the first half of jobs before it measures. So the
// result does not include the memory for connections and scripts.
func perLeave(t *testing.T, jobs []leave.Job) int64 {
	t.Helper()
	server := redistest.Start(t)
	defer server.Kill()
	beginSecond(t, server, redisstore.DefaultPrefix)
	s, err := redisstore.OpenPatiently(t.Context(), redisstore.Options{URL: redisurl.Must(server.URL())})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	half := len(jobs) / 2
	merge(t, s, jobs[:half]...)
	before := usedMemory(t, server)
	merge(t, s, jobs[half:]...)
	return (usedMemory(t, server) - before) / int64(len(jobs)-half)
}

// hashed returns a hash that is different for each kind and n. It looks like the names
// of the service's rooms and participants on LiveKit.
func hashed(kind string, n int) string {
	sum := sha256.Sum256(fmt.Append(nil, kind, n))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// present returns the n-th job of the crowd. Its participant is in the given LiveKit
// room.
func (c crowd) present(t *testing.T, room string, n int) leave.Job {
	t.Helper()
	user, err := matrix.ParseUserID(fmt.Sprintf("@user%05d:matrix.example.org", n/c.perUser))
	if err != nil {
		t.Fatal(err)
	}
	delayID, err := matrix.ParseDelayID("syd_" + hashed("delay", n)[:20])
	if err != nil {
		t.Fatal(err)
	}
	identity := fmt.Sprint(user, ":DEVICE", n)
	if c.hashed {
		identity = hashed("identity", n)
	}
	accepted := time.Now().Add(-time.Duration(n) * time.Millisecond)
	job := leave.New(leave.Key{Room: sfu.Room(room), Identity: sfu.Identity(identity)}, user, delayID, time.Hour, accepted)
	job.State, job.Session = leave.Connected, "PA_"+hashed("session", n)[:12]
	job.Since, job.RoomSeen = accepted.Add(3*time.Second), accepted.Add(3*time.Second)
	job.Restarted, job.NextRestart = accepted.Add(20*time.Minute), accepted.Add(65*time.Minute)
	// The keeper asks LiveKit about the whole room, so no question about this job alone
	// is planned.
	job.NextLook = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	return job
}

func usedMemory(t *testing.T, server *redistest.Server) (used int64) {
	t.Helper()
	server.Do(t, func(ctx context.Context, c *redis.Client) error {
		info, err := c.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(info, "used_memory:")
		text, _, _ := strings.Cut(rest, "\r\n")
		used, err = strconv.ParseInt(text, 10, 64)
		return err
	})
	return used
}
