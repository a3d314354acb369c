package leavetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// wantRooms checks that got has the rooms in want, in any order.
func wantRooms(t *testing.T, got []sfu.Room, want ...sfu.Room) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("got rooms %q, want %q", got, want)
	}
}

func roomsOnce(t *testing.T, s Store) {
	now := start()
	for i := range 10 {
		put(t, s, delegation(t, sfu.Room(fmt.Sprint("room", i%5)), sfu.Identity(fmt.Sprint(i)), "d", now))
	}
	var rooms []sfu.Room
	for range 3 {
		rooms = append(rooms, claimRooms(t, s, now, time.Minute, 2)...)
	}
	wantRooms(t, rooms, "room0", "room1", "room2", "room3", "room4")
	wantRooms(t, claimRooms(t, s, now.Add(59*time.Second), time.Minute, 10))
	wantRooms(t, claimRooms(t, s, now.Add(time.Minute), time.Minute, 0))
	wantRooms(t, claimRooms(t, s, now.Add(time.Minute), time.Minute, 10), "room0", "room1", "room2", "room3", "room4")
	wantRooms(t, claimRooms(t, s, now.Add(90*time.Second), time.Minute, 10))
	if got := len(claimRooms(t, s, now.Add(90*time.Second), 30*time.Second, 10)); got != 5 {
		t.Errorf("ClaimRooms with a shorter interval: got %d rooms, want 5", got)
	}
}

func roomsLive(t *testing.T, s Store) {
	now := start()
	wantRooms(t, claimRooms(t, s, now, time.Minute, 10))
	alice := stored(t, s, delegation(t, "room", "alice", "d1", now))
	bob := stored(t, s, delegation(t, "room", "bob", "d2", now))
	wantRooms(t, claimRooms(t, s, now, time.Minute, 10), "room")
	now = now.Add(time.Hour)
	if err := s.Delete(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	wantRooms(t, claimRooms(t, s, now, time.Minute, 10), "room")
	now = now.Add(time.Hour)
	if err := s.Delete(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	wantRooms(t, claimRooms(t, s, now, time.Minute, 10))
	put(t, s, delegation(t, "room", "alice", "d3", now))
	wantRooms(t, claimRooms(t, s, now, time.Minute, 10), "room")
}

func roomJobs(t *testing.T, s Store) {
	now := start()
	alice := stored(t, s, delegation(t, "room", "alice", "d1", now))
	bob := stored(t, s, delegation(t, "room", "bob", "d2", now))
	put(t, s, delegation(t, "other", "alice", "d3", now))
	jobs := room(t, s, "room")
	if len(jobs) != 2 {
		t.Fatalf("%d jobs, want 2", len(jobs))
	}
	wantEqual(t, jobs[0], alice)
	wantEqual(t, jobs[1], bob)
	if err := s.Delete(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, room(t, s, "room"), "d2")
	wantIDs(t, room(t, s, "missing"))
}

// room returns the jobs of the named room, in the order of their delay ids.
func room(t *testing.T, s Store, name sfu.Room) []leave.Job {
	t.Helper()
	jobs, err := s.Room(t.Context(), name)
	if err != nil {
		t.Fatalf("Room: got %v, want no error", err)
	}
	slices.SortFunc(jobs, func(a, b leave.Job) int {
		if a.DelayID.String() < b.DelayID.String() {
			return -1
		}
		return 1
	})
	return jobs
}

func occupiedRooms(t *testing.T, s Store) {
	now := start()
	for _, state := range leave.States() {
		job := stored(t, s, delegation(t, sfu.Room(state), "alice", "d", now))
		job.State = state
		save(t, s, job)
	}
	rooms := func() []sfu.Room {
		rooms, err := s.Rooms(t.Context())
		if err != nil {
			t.Fatalf("Rooms: got %v, want no error", err)
		}
		return rooms
	}
	wantRooms(t, rooms(), "connected", "leaving")
	expected := get(t, s, leave.Key{Room: "waiting", Identity: "alice"})
	expected.RoomSeen = now // a waiting job has this value if it replaced the job of a participant in the room
	expected = save(t, s, expected)
	wantRooms(t, rooms(), "connected", "leaving", "waiting")
	expected.RoomSeen = time.Time{}
	save(t, s, expected)

	second := stored(t, s, delegation(t, "connected", "bob", "d", now))
	second.State = leave.Connected
	second = save(t, s, second)
	first := get(t, s, leave.Key{Room: "connected", Identity: "alice"})
	if err := s.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantRooms(t, rooms(), "connected", "leaving")
	second.State = leave.Sending
	save(t, s, second)
	put(t, s, delegation(t, "leaving", "alice", "d9", now.Add(time.Second)))
	wantRooms(t, rooms())
}
