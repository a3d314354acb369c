package redisstore

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// recorded returns one job in each state, and one job with a lease.
func recorded(tb testing.TB) (jobs []leave.Job) {
	tb.Helper()
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		tb.Fatal(err)
	}
	delayID, err := matrix.ParseDelayID("syd_a")
	if err != nil {
		tb.Fatal(err)
	}
	key := leave.Key{Room: "KD6Ykt+Uybg95MLRCWKI0s10dTFsBwpd/HdCqLNFUzE", Identity: "@alice:example.org:ABCDEFGHIJ"}
	for _, state := range leave.States() {
		job := leave.New(key, user, delayID, leave.MaxDelay, time.UnixMilli(1_800_000_000_123))
		job.State, job.RoomSeen = state, job.AcceptedAt
		jobs = append(jobs, job)
	}
	lent := jobs[0]
	lent.Lease = leave.Lease{Holder: "a holder\n", Until: lent.AcceptedAt.Add(time.Second)}
	return append(jobs, lent)
}

func TestForm2KeepsAll(t *testing.T) {
	for _, job := range recorded(t) {
		value, err := encode2(job)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode2(stored{second, id(job.Key), value})
		if err != nil {
			t.Fatalf("decode2(%x) of the job %+v: got %v, want no error", value, job, err)
		}
		if want := job.Moved(0); !reflect.DeepEqual(got, want) {
			t.Errorf("reading the record: got %+v, want %+v", got, want)
		}
		if state := value[stateAt]; int(state&^(occupies|leased)) != job.State.Number() || state&occupies != 0 != job.Occupies() {
			t.Errorf("%+v: got the state's byte %d, want state %s, occupied: %v", job.Key, state, job.State, job.Occupies())
		}
		if got, want := number(value[12:17]), int64(leave.WeightOf(job.Delay)); got != want {
			t.Errorf("the weight is %d, want %d", got, want)
		}
		for i := range value {
			if _, err := decode2(stored{second, id(job.Key), value[:i]}); err == nil {
				t.Errorf("decode2 of the first %d bytes of %x: got no error, want one", i, value)
			}
		}
	}
}

// TestForm2ComparesNames stores the record of one key under the id of another key. The
// record must count as invalid: ids are hashes, so if two keys had the same id, the job
// of one key would otherwise be taken for that of the other.
func TestForm2ComparesNames(t *testing.T) {
	job := recorded(t)[0]
	value, err := encode2(job)
	if err != nil {
		t.Fatal(err)
	}
	other := job.Key
	other.Identity = "another"
	if got, err := decode2(stored{second, id(other), value}); err == nil {
		t.Errorf("decode2 of the job of %v under the id of %v: got no error, want one", got.Key, other)
	}
}

func TestForm2LongHolder(t *testing.T) {
	job := recorded(t)[0]
	job.Lease.Holder = strings.Repeat("x", mostName+1)
	if value, err := encode2(job); err == nil {
		t.Errorf("encode2 with a holder of %d bytes: got %x, want an error", len(job.Lease.Holder), value)
	}
}

// TestID checks that the ids of all jobs in a room begin with the id of the room. Keys
// must have different ids even if room and identity together are the same text.
func TestID(t *testing.T) {
	keys := []leave.Key{{Room: "a", Identity: "bc"}, {Room: "a", Identity: "b"}, {Room: "ab", Identity: "c"}, {Room: "", Identity: "abc"}}
	seen := map[string]leave.Key{}
	for _, key := range keys {
		got := id(key)
		if len(got) != idSize || !strings.HasPrefix(got, roomID(key.Room)) {
			t.Errorf("the id of %v is %x, want %d bytes that begin with %x", key, got, idSize, roomID(key.Room))
		}
		if other, ok := seen[got]; ok {
			t.Errorf("got one id for %v and %v, want two", key, other)
		}
		seen[got] = key
		if n := shard(key.Room); n < 0 || n >= shards {
			t.Errorf("shard(%q) = %d, want at least 0 and less than %d", key.Room, n, shards)
		}
	}
}

// FuzzForm2 reads random bytes as a record in the second record format. If they are a
// valid job, the test writes the job and reads it again. The job must not change.
func FuzzForm2(f *testing.F) {
	for _, job := range recorded(f) {
		value, err := encode2(job)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Add("1 0 1 holder\n{}")
	place := id(recorded(f)[0].Key)
	f.Fuzz(func(t *testing.T, value string) {
		job, err := decode2(stored{second, place, value})
		if err != nil {
			return
		}
		again, err := encode2(job)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode2(stored{second, place, again})
		if err != nil {
			t.Fatalf("decode2(%x), written again as %x: got %v, want no error", value, again, err)
		}
		if got.Version = job.Version; !reflect.DeepEqual(got, job) {
			t.Errorf("written and read again: got %+v, want %+v", got, job)
		}
	})
}
