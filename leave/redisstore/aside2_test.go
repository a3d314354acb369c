package redisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/sfu"
)

// badRecords returns invalid records in the newer record format (the second one). ours
// is a valid record. The records in headed have valid first bytes, so the scripts count
// them as jobs.
func badRecords(ours string) (headed, others []string) {
	// A record begins with 17 bytes, the length of the user's name, and the name. Then
	// comes the job.
	body := 18 + int(ours[17])
	replace := func(at int, by string) string { return ours[:at] + by + ours[at+len(by):] }
	headed = []string{
		ours[:body], ours[:body+1], ours[:len(ours)-1], ours + "x", ours[:body] + "\x00", ours[:body] + strings.Repeat("\xff", 40),
		replace(body+1, "\x00"), replace(len(ours)-4, "\xff\xff\xff\xff"),
		strings.Replace(ours, "\x04a", "\x04z", 1), // names another room than the key of the record
	}
	others = []string{
		"garbage", "\xff", "\x02", "5 garbage", "1 0 1 holder\n{}", strings.Repeat("\x02", 18), ours[:17], ours[:18], ours[:body-1],
		replace(0, "\x03"), replace(1, "\xff"), replace(1, "\x20\x00\x00\x00\x00\x00\x00"), replace(17, "\xff"),
	}
	return headed, others
}

// recordOf returns the id and the value of the only record in the second record format
// (the newer one).
func recordOf(t testing.TB, server *miniredis.Miniredis) (id, value string) {
	t.Helper()
	ids, err := server.HKeys(recordsKey)
	if err != nil || len(ids) != 1 {
		t.Fatalf("the ids of records: got %q, %v, want one", ids, err)
	}
	return ids[0], server.HGet(recordsKey, ids[0])
}

// TestForeignRecords has an invalid record in the newer record format (the second one).
// Other jobs must be claimed as usual. The invalid record must be logged once, and must
// not be claimed all the time. A delegation with the same key must succeed.
func TestForeignRecords(t *testing.T) {
	server := newSecond(t)
	put(t, open(t, "redis://"+server.Addr()), delegation(t, "a", time.Now()))
	id, ours := recordOf(t, server)
	headed, others := badRecords(ours)
	for i, value := range slices.Concat(headed, others) {
		t.Run(fmt.Sprint(i), func(t *testing.T) { foreignRecord(t, id, value, i < len(headed)) })
	}
}

func foreignRecord(t *testing.T, id, value string, counted bool) {
	server := newSecond(t)
	var log logtest.Log
	s, replica := openWith(t, options(server, log.Logger())), open(t, "redis://"+server.Addr())
	now := time.Now()
	job, other := delegation(t, "a", now), delegation(t, "b", now)
	put(t, s, job)
	put(t, s, other)
	server.HSet(recordsKey, id, value)

	get(t, s, job.Key, leave.ErrNotFound)
	if jobs, err := s.Room(t.Context(), job.Room); err != nil || len(jobs) != 0 {
		t.Errorf("Room(%s) = %v, %v, want no job", job.Room, jobs, err)
	}
	jobs, err := s.Claim(t.Context(), "holder", now, 10)
	if err != nil || len(jobs) != 1 || jobs[0].Key != other.Key {
		t.Errorf("Claim = %v, %v, want the other job", jobs, err)
	}
	for _, r := range []*redisstore.Store{s, replica} {
		for _, wait := range []time.Duration{time.Second, 59 * time.Second} {
			before := server.HGet(recordsKey, id)
			if _, err := r.Claim(t.Context(), "holder", now.Add(wait), 10); err != nil {
				t.Errorf("Claim: got %v, want no error", err)
			}
			if server.HGet(recordsKey, id) != before {
				t.Errorf("Claim after %v: got the record with another lease, want it not claimed again within a minute", wait)
			}
		}
		now = now.Add(61 * time.Second)
		if _, err := replica.Claim(t.Context(), "holder", now, 10); err != nil {
			t.Errorf("Claim: got %v, want no error", err)
		}
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 1 || s.SetAside() != 1 {
		t.Errorf("the invalid record was logged %d times and counted %d times, want once: %s", got, s.SetAside(), log.String())
	}
	if log.Has("delay_id") {
		t.Errorf("the log: got %s, want no delay_id in it", log.String())
	}

	put(t, s, job)
	got := get(t, s, job.Key, nil)
	if counted {
		wantCounted(t, s, job, other)
	}
	server.HSet(recordsKey, id, value)
	merge(t, s, got)
	for _, key := range []leave.Key{job.Key, other.Key} {
		if err := s.Delete(t.Context(), get(t, s, key, nil)); err != nil {
			t.Errorf("Delete: got %v, want no error", err)
		}
	}
	if counts, err := s.Count(t.Context(), job.User); err != nil || counts.All+counts.OfUser+counts.OfServer != 0 {
		t.Errorf("Count(%s) after every job was deleted = %+v, %v, want 0 of everything", job.User, counts, err)
	}
}

// TestForeignRecordIsRemoved checks that the store removes a record if it stays invalid
// for longer than any delayed event lasts. Then the counts must no longer include the
// record, and its room must be removed as well.
func TestForeignRecordIsRemoved(t *testing.T) {
	server := newSecond(t)
	var m clocktest.Machine
	c := m.Clock()
	s := openWith(t, redisstore.Options{URL: redisurl.Must("redis://" + server.Addr()), Clock: c})
	job, other := delegation(t, "a", c.Now()), delegation(t, "b", c.Now())
	put(t, s, job)
	id, value := recordOf(t, server)
	put(t, s, other)
	server.HSet(recordsKey, id, value+"x")
	for _, passes := range []time.Duration{0, leave.MaxDelay, 2 * time.Hour} {
		if server.HGet(recordsKey, id) == "" {
			t.Fatalf("before another %v: got the record removed, want it kept", passes)
		}
		m.Sleep(passes)
		c.Ahead() // makes the clock notice the sleep immediately; Now can take a millisecond longer
		server.SetTime(m.Wall())
		if _, err := s.Claim(t.Context(), "holder", c.Now(), 10); err != nil {
			t.Fatal(err)
		}
	}
	if left := server.HGet(recordsKey, id); left != "" {
		t.Errorf("after all the time: got the record %q, want none", left)
	}
	wantCounted(t, s, other)
	if rooms, err := s.ClaimRooms(t.Context(), c.Now(), 0, 10); err != nil || len(rooms) != 1 {
		t.Errorf("ClaimRooms = %v, %v, want the other's", rooms, err)
	}
}

// TestForeignParts has wrong names in a sorted set of Redis. This set lists the parts
// into which the due times of jobs are divided. Claims must still return the due jobs.
func TestForeignParts(t *testing.T) {
	server := newSecond(t)
	s := open(t, "redis://"+server.Addr())
	job := delegation(t, "a", time.Now())
	put(t, s, job)
	for _, member := range []string{"", "x", "-5", "-0", "007", "1.5", "0x10", "8192", "99999999999999999999", "nan"} {
		if _, err := server.ZAdd(headsKey, 0, member); err != nil {
			t.Fatal(err)
		}
	}
	var claimed []leave.Job
	for range 10 {
		jobs, err := s.Claim(t.Context(), "holder", time.Now().Add(time.Second), 2)
		if err != nil {
			t.Fatalf("Claim: got %v, want no error", err)
		}
		claimed = append(claimed, jobs...)
	}
	if len(claimed) != 1 || claimed[0].Key != job.Key {
		t.Errorf("claimed %v, want %v once", claimed, job.Key)
	}
	left, err := server.ZMembers(headsKey)
	if want := []string{fmt.Sprint(redisstore.Part("a"))}; err != nil || !slices.Equal(left, want) {
		t.Errorf("parts with jobs: got %q, %v, want %q", left, err, want)
	}
}

// TestManyDueAtOnce has many jobs in many rooms that are due at the same moment. Each
// claim must return as many jobs as it asks for. All claims together must return each
// job once.
func TestManyDueAtOnce(t *testing.T) {
	server := newSecond(t)
	s := open(t, "redis://"+server.Addr())
	const rooms, inRoom, n = 10, 10, 10
	now, seen := time.Now(), map[leave.Key]bool{}
	var all []leave.Job
	for i := range rooms * inRoom {
		job := delegation(t, fmt.Sprint("job", i), now)
		job.Key.Room = sfu.Room(fmt.Sprint(i % rooms))
		all = append(all, job)
	}
	merge(t, s, all...)
	for range rooms * inRoom / n {
		jobs, err := s.Claim(t.Context(), "holder", now.Add(time.Second), n)
		if err != nil || len(jobs) != n {
			t.Fatalf("Claim of %d: got %d jobs, %v, want %[1]d", n, len(jobs), err)
		}
		for _, job := range jobs {
			if seen[job.Key] {
				t.Errorf("claimed %v twice, want it once", job.Key)
			}
			seen[job.Key] = true
		}
	}
}

// TestRoomOfForeignRecord removes the last record of a room from Redis. When the store
// next reads the room, it must remove the room.
func TestRoomOfForeignRecord(t *testing.T) {
	server := newSecond(t)
	s := open(t, "redis://"+server.Addr())
	put(t, s, delegation(t, "a", time.Now()))
	id, _ := recordOf(t, server)
	server.HDel(recordsKey, id)
	if jobs, err := s.Claim(t.Context(), "holder", time.Now().Add(time.Second), 10); err != nil || len(jobs) != 0 {
		t.Errorf("Claim = %v, %v, want nothing", jobs, err)
	}
	for _, want := range []int{1, 0} {
		rooms, err := s.ClaimRooms(t.Context(), time.Now().Add(time.Minute), 0, 10)
		if err != nil || len(rooms) != want {
			t.Errorf("ClaimRooms = %v, %v, want %d", rooms, err, want)
		}
		if jobs, err := s.Room(t.Context(), "a"); err != nil || len(jobs) > 0 {
			t.Errorf("Room(a) = %v, %v, want no job", jobs, err)
		}
	}
}

// FuzzRecord replaces a record in the newer format (the second one) by random bytes.
// The store must still serve other jobs, and must accept a delegation with the key of
// the record.
func FuzzRecord(f *testing.F) {
	server := newSecond(f)
	s, err := redisstore.OpenPatiently(f.Context(), redisstore.Options{URL: redisurl.Must("redis://" + server.Addr())})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	if _, err := s.Put(f.Context(), delegation(f, "a", time.Now())); err != nil {
		f.Fatal(err)
	}
	id, ours := recordOf(f, server)
	f.Add(ours)
	headed, others := badRecords(ours)
	for _, value := range slices.Concat(headed, others) {
		f.Add(value)
	}
	part := fmt.Sprint("matrixrtc-auth{leave}:2:due:", redisstore.Part("a"))
	f.Fuzz(func(t *testing.T, value string) {
		now := time.Now()
		put(t, s, delegation(t, "b", now))
		server.HSet(recordsKey, id, value)
		if _, err := server.ZAdd(part, 0, id); err != nil {
			t.Fatal(err)
		}
		if _, err := server.ZAdd(headsKey, 0, fmt.Sprint(redisstore.Part("a"))); err != nil {
			t.Fatal(err)
		}
		jobs, err := s.Claim(t.Context(), "holder", now, 10)
		if err != nil {
			t.Errorf("Claim: got %v, want no error", err)
		}
		for _, job := range jobs {
			if _, err := s.Save(t.Context(), job); err != nil {
				t.Errorf("Save of the claimed job %v: got %v, want no error", job.Key, err)
			}
		}
		if again, err := s.Claim(t.Context(), "holder", now, 10); err != nil || len(again) > 0 {
			t.Errorf("Claim again = %v, %v, want no job", again, err)
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
		if counts, err := s.Count(t.Context(), later.User); err != nil || counts.All != 0 || counts.OfUser != 0 {
			t.Errorf("Count after all jobs were removed: got %+v, %v, want zeros", counts, err)
		}
	})
}
