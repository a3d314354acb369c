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

// mostBytes is the budget of docs/scaling.md for Redis' memory, a leave.
const mostBytes = 400

// TestMemory: a leave of somebody who is there costs Redis no more than its
// budget, in a store of 100,000. An eighth of one is made: the rooms whose due
// times are in the first parts.
func TestMemory(t *testing.T) {
	for _, c := range []crowd{
		{perRoom: 50, perUser: 50}, // as make bench-scale has them
		{perRoom: 50, perUser: 1, hashed: true},
	} {
		t.Run(fmt.Sprintf("%d in a room, %d of a user", c.perRoom, c.perUser), func(t *testing.T) {
			const parts, leaves = redisstore.Parts / 16, 100_000 / 16
			jobs := slices.Concat(c.jobs(t, 0, parts, leaves), c.jobs(t, parts, 2*parts, leaves))
			got := perLeave(t, jobs)
			t.Logf("%d bytes a leave", got)
			if got > mostBytes {
				t.Errorf("%d bytes a leave, want at most %d", got, mostBytes)
			}
		})
	}
}

// crowd says what the names of jobs are.
type crowd struct {
	perRoom, perUser int
	hashed           bool // the identities, as those of new clients are
}

// jobs returns so many in rooms of the parts from … to.
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

// perLeave returns how many bytes each of the second half of the jobs takes in a
// server of its own, in the second form. What the server has anyhow, as connections
// and scripts, is there with the first half.
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

// hashed is a name of LiveKit's that is a hash.
func hashed(kind string, n int) string {
	sum := sha256.Sum256(fmt.Append(nil, kind, n))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// present returns the n-th job, of somebody who is in the room.
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
	job.NextLook = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // never, alone
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
