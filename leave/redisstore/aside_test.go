package redisstore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
)

const (
	jobsKey = "matrixrtc-auth{leave}:jobs"
	dueKey  = "matrixrtc-auth{leave}:due"
)

// badValues returns invalid records in the older record format (the first one). ours is
// a valid record.
func badValues(tb testing.TB, ours string) []string {
	tb.Helper()
	head, body, _ := strings.Cut(ours, "\n")
	with := func(name string, value any) string {
		var fields map[string]any
		if err := json.Unmarshal([]byte(body), &fields); err != nil {
			tb.Fatal(err)
		}
		fields[name] = value
		changed, err := json.Marshal(fields)
		if err != nil {
			tb.Fatal(err)
		}
		return head + "\n" + string(changed)
	}
	return []string{
		"garbage", "\xff", "\n", " ", "5", "5 garbage", "version 2", "1 2 3 holder",
		"1 2 3 holder\nno JSON", "1 2 3 holder\n{}", "1 2 3 holder\nnull", "1 2 0 holder\n{}", "1 0 0 \n",
		"99999999999999999999 0 1 holder\n" + body, "-1 0 1 holder\n" + body, "1e3 0 1 holder\n" + body,
		"9007199254740993 0 1 holder\n" + body, "1 99999999999999999999 1 holder\n" + body,
		"1 0 99999999999999999999999999 holder\n" + body, "1 0 -5 holder\n" + body,
		head + body, ours + "x", ours[:len(ours)-1],
		head + "\n" + strings.Repeat("[", 50_000),
		with("state", "bogus"), with("looks", -2), with("restarts", -7), with("sends", 1<<40), with("delay", 0),
		with("accepted_at", -62_135_596_800_000), with("next_restart", 1<<60), with("user", ""), with("delay_id", ".."),
		with("room", "another"), with("identity", "another"), with("identity", "\xff"), with("replaces", strings.Split("abcdefghijk", "")),
	}
}

// TestForeignValues has an invalid record in the older record format (the first one).
// Other jobs must be claimed as usual. The invalid record must be logged once, and
// claims must try it at most once a minute. A delegation with the same key must
// succeed.
func TestForeignValues(t *testing.T) {
	server := miniredis.RunT(t)
	put(t, open(t, "redis://"+server.Addr()), delegation(t, "a", time.Now()))
	for i, value := range badValues(t, server.HGet(jobsKey, "1:a:a")) {
		t.Run(fmt.Sprint(i), func(t *testing.T) { foreignValue(t, value) })
	}
}

func foreignValue(t *testing.T, value string) {
	server := miniredis.RunT(t)
	var log logtest.Log
	s, replica := openWith(t, options(server, log.Logger())), open(t, "redis://"+server.Addr())
	now := time.Now()
	job, other := delegation(t, "a", now), delegation(t, "b", now)
	put(t, s, job)
	put(t, s, other)
	server.HSet(jobsKey, "1:a:a", value)

	get(t, s, job.Key, leave.ErrNotFound)
	if jobs, err := s.Room(t.Context(), job.Room); err != nil || len(jobs) != 0 {
		t.Errorf("Room: got %v, %v, want none", jobs, err)
	}
	jobs, err := s.Claim(t.Context(), "holder", now, 10)
	if err != nil || len(jobs) != 1 || jobs[0].Key != other.Key {
		t.Errorf("Claim = %v, %v, want the other job", jobs, err)
	}
	for _, r := range []*redisstore.Store{s, replica} {
		wantNoClaim(t, server, r, now.Add(time.Second))
		wantNoClaim(t, server, r, now.Add(59*time.Second))
		now = now.Add(61 * time.Second)
		if _, err := replica.Claim(t.Context(), "holder", now, 10); err != nil {
			t.Errorf("Claim: got %v, want no error", err)
		}
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 1 || s.SetAside() != 1 {
		t.Errorf("the invalid record was logged %d times and counted %d times, want once: %s", got, s.SetAside(), log.String())
	}
	if !log.Has("1:a:a") || log.Has("delay_id") {
		t.Errorf("log: got %s, want the key in it, and no delay id", log.String())
	}

	put(t, s, job)
	got := get(t, s, job.Key, nil)
	server.HSet(jobsKey, "1:a:a", value)
	merge(t, s, got)
	get(t, s, job.Key, nil)
	wantCounted(t, s, job, other)
}

// wantNoClaim makes a claim, and checks that it does not change the invalid record.
func wantNoClaim(t *testing.T, server *miniredis.Miniredis, s *redisstore.Store, now time.Time) {
	t.Helper()
	before := server.HGet(jobsKey, "1:a:a")
	if _, err := s.Claim(t.Context(), "holder", now, 10); err != nil {
		t.Errorf("Claim: got %v, want no error", err)
	}
	if server.HGet(jobsKey, "1:a:a") != before {
		t.Errorf("the invalid record after a claim within a minute: got %s, want it as before: %s", server.HGet(jobsKey, "1:a:a"), before)
	}
}

// TestForeignValueIsRemoved checks that the store removes a record if it stays invalid
// for longer than any delayed event lasts. Then the counts must no longer include the
// record.
func TestForeignValueIsRemoved(t *testing.T) {
	server := miniredis.RunT(t)
	var m clocktest.Machine
	c := m.Clock()
	s := openWith(t, redisstore.Options{URL: redisurl.Must("redis://" + server.Addr()), Clock: c})
	job, other := delegation(t, "a", c.Now()), delegation(t, "b", c.Now())
	put(t, s, job)
	put(t, s, other)
	server.HSet(jobsKey, "1:a:a", "1 0 1 holder\n{}")
	for _, passes := range []time.Duration{0, leave.MaxDelay, 2 * time.Hour} {
		if server.HGet(jobsKey, "1:a:a") == "" {
			t.Fatal("the invalid record was removed too soon")
		}
		m.Sleep(passes)
		c.Ahead() // makes the clock notice the sleep immediately; Now can take a millisecond longer
		server.SetTime(m.Wall())
		if _, err := s.Claim(t.Context(), "holder", c.Now(), 10); err != nil {
			t.Fatal(err)
		}
	}
	if left := server.HGet(jobsKey, "1:a:a"); left != "" {
		t.Errorf("the invalid record %q is still stored, want it removed", left)
	}
	wantCounted(t, s, other)
	if rooms, err := s.ClaimRooms(t.Context(), c.Now(), 0, 10); err != nil || len(rooms) != 1 {
		t.Errorf("ClaimRooms = %v, %v, want the other's", rooms, err)
	}
}

// TestMendedValue has an invalid record that somebody mends. The record must then count
// as a job again.
func TestMendedValue(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr())
	now := time.Now()
	put(t, s, delegation(t, "a", now))
	ours := server.HGet(jobsKey, "1:a:a")
	server.HSet(jobsKey, "1:a:a", strings.Replace(ours, `"waiting"`, `"wondering"`, 1))
	if jobs, err := s.Claim(t.Context(), "holder", now, 10); err != nil || len(jobs) > 0 {
		t.Errorf("Claim: got %v, %v, want none", jobs, err)
	}
	server.HSet(jobsKey, "1:a:a", ours)
	if jobs, err := s.Claim(t.Context(), "holder", now.Add(61*time.Second), 10); err != nil || len(jobs) != 1 {
		t.Errorf("Claim after the record was mended: got %v, %v, want one job", jobs, err)
	}
}

// FuzzValue replaces the record of a job by a random text. The record is in the first
// format (the older one). The store must still serve other jobs, and must accept a new
// job with the same key as the job whose record was replaced.
func FuzzValue(f *testing.F) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(server.Close)
	s, err := redisstore.OpenPatiently(f.Context(), redisstore.Options{URL: redisurl.Must("redis://" + server.Addr())})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	if _, err := s.Put(f.Context(), delegation(f, "a", time.Now())); err != nil {
		f.Fatal(err)
	}
	ours := server.HGet(jobsKey, "1:a:a")
	f.Add(ours)
	for _, value := range badValues(f, ours) {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		now := time.Now()
		put(t, s, delegation(t, "b", now))
		server.HSet(jobsKey, "1:a:a", value)
		if _, err := server.ZAdd(dueKey, 0, "1:a:a"); err != nil {
			t.Fatal(err)
		}
		jobs, err := s.Claim(t.Context(), "holder", now, 10)
		if err != nil {
			t.Errorf("Claim: got %v, want no error", err)
		}
		for _, job := range jobs {
			if _, err := s.Save(t.Context(), job); err != nil {
				t.Errorf("Save of a claimed job: got %v, want no error", err)
			}
		}
		if again, err := s.Claim(t.Context(), "holder", now, 10); err != nil || len(again) > 0 {
			t.Errorf("Claim while all jobs are leased: got %v, %v, want none", again, err)
		}
		if _, err := s.Room(t.Context(), "a"); err != nil {
			t.Errorf("Room: got %v, want no error", err)
		}
		later := delegation(t, "a", time.UnixMilli(1<<53-1))
		later.DelayID = delegation(t, "zzz", now).DelayID
		put(t, s, later)
		for _, name := range []string{"a", "b"} {
			if err := s.Delete(t.Context(), get(t, s, delegation(t, name, now).Key, nil)); err != nil {
				t.Errorf("Delete: got %v, want no error", err)
			}
		}
		if counts, err := s.Count(t.Context(), later.User); err != nil || counts.All != 0 {
			t.Errorf("Count after all jobs were removed: got %+v, %v, want zeros", counts, err)
		}
	})
}
