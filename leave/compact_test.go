package leave

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// keptApart are the fields that a compact record does not contain, because the store
// keeps them beside the record.
var keptApart = []string{"user", "version", "holder", "until"}

// TestEveryFieldIsNumbered checks that every field of a job has exactly one number in
// compact records, and that the fields in keptApart have none. The test fails if
// somebody adds a field to Job without a number.
func TestEveryFieldIsNumbered(t *testing.T) {
	for _, f := range fields {
		n := slices.Index(numbered[:], f.name)
		if apart := slices.Contains(keptApart, f.name); apart == (n >= 0) {
			t.Errorf("field %s: got the number %d in a compact record, kept apart: %v; want a number or kept apart", f.name, n, apart)
		}
	}
	for n, name := range numbered {
		if name != "" && compactField[n] < 0 {
			t.Errorf("number %d: got the field %s, want one that a job has", n, name)
		}
		if name != "" && slices.Index(numbered[:], name) != n {
			t.Errorf("field %s: got two numbers, want one", name)
		}
	}
	for _, s := range States() {
		if slices.Index(numberedStates, s) <= 0 {
			t.Errorf("state %s: got no number, want one", s)
		}
	}
}

// names are rooms and identities of the kinds that clients use, and some unusual ones.
var names = map[string]Key{
	"hashes":         {"KD6Ykt+Uybg95MLRCWKI0s10dTFsBwpd/HdCqLNFUzE", "M3VnsLXrkbxIDINXO64u8PZzFyD9ZYFiQULR2dshWYs"},
	"an old client":  {"KD6Ykt+Uybg95MLRCWKI0s10dTFsBwpd/HdCqLNFUzE", "@alice:example.org:ABCDEFGHIJ"},
	"the user alone": {"room", "@alice:example.org"},
	"texts":          {"a room", "äöü"},
	"almost base64":  {"KD6Ykt+Uybg95MLRCWKI0s10dTFsBwpd/HdCqLNFUzF", "AB\n=="},
	"short":          {"a", "ab"},
	"long":           {sfu.Room(strings.Repeat("r", 5000)), sfu.Identity(strings.Repeat("\n", 300))},
}

// TestCompactKeepsAll writes jobs as compact records and reads them again. The jobs
// must not change. They have a value in every field, and names of every kind.
func TestCompactKeepsAll(t *testing.T) {
	for name, key := range names {
		t.Run(name, func(t *testing.T) {
			for _, s := range States() {
				job := in(t, s)
				job.Key = key
				wantCompacted(t, job)
				job.NextRestart, job.Deadline, job.Restarted = never, job.AcceptedAt, job.AcceptedAt.Add(-time.Millisecond)
				wantCompacted(t, job)
				for _, f := range fields {
					fill(t, f.in(&job))
				}
				wantCompacted(t, job)
			}
		})
	}
}

func wantCompacted(t *testing.T, job Job) {
	t.Helper()
	b := job.Compact()
	read, err := ParseCompact(b, job.User)
	if err != nil {
		t.Fatalf("ParseCompact(%x) of the job %+v: got %v, want no error", b, job, err)
	}
	read.Version, read.Lease = job.Version, job.Lease
	wantKept(t, "a compact record", read, job)
}

// TestCompactStaysReadable checks that this version of the program writes this job with
// the same bytes as all earlier versions. Later versions must be able to read these
// bytes.
func TestCompactStaysReadable(t *testing.T) {
	job := in(t, Connected)
	job.Key = names["an old client"]
	const written = "/6sFgNjulu9mgQEoPpiS35TJuD3kwtEJYojSzXR1MWwHCl38d0Kos0VTMYC6twMuOkFCQ0RFRkdISUoEFHN5ZF9hAghTMYK6twMCgsjfAgAC"
	if got := base64.StdEncoding.EncodeToString(job.Compact()); got != written {
		t.Errorf("Compact wrote the record\n%s, want\n%s", got, written)
	}
	b, err := base64.StdEncoding.DecodeString(written)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseCompact(b, job.User)
	if err != nil {
		t.Fatal(err)
	}
	wantKept(t, "a record of the first version", read, job)
}

// TestCompactOfLaterVersion has a compact record with fields that only later versions
// of the program know. ParseCompact must skip these fields.
func TestCompactOfLaterVersion(t *testing.T) {
	job := in(t, Leaving)
	b := job.Compact()
	present, length := binary.Uvarint(b)
	later := binary.AppendUvarint(nil, present|1<<62|1<<63)
	later = append(later, b[length:]...)
	later = binary.AppendVarint(later, -5)
	later = appendText(later, "what it says", "")
	read, err := ParseCompact(later, job.User)
	if err != nil {
		t.Fatal(err)
	}
	wantKept(t, "a record of a later version", read, job)
}

// TestBadCompact reads compact records that are not valid jobs. The error must name the
// job, as far as it could be read.
func TestBadCompact(t *testing.T) {
	job := in(t, Connected)
	good := job.Compact()
	for i := range good {
		if _, err := ParseCompact(good[:i], job.User); err == nil {
			t.Errorf("ParseCompact of the first %d bytes of %x: got no error, want one", i, good)
		}
	}
	for name, change := range map[string]func(*Job){
		"no state":          func(j *Job) { j.State = "" },
		"another state":     func(j *Job) { j.State = "wondering" },
		"no delay":          func(j *Job) { j.Delay = 0 },
		"a negative number": func(j *Job) { j.Looks = -2 },
		"a large number":    func(j *Job) { j.Sends = 1 << 40 },
		"no delay id":       func(j *Job) { j.DelayID = matrix.DelayID{} },
		"no room":           func(j *Job) { j.Room = "" },
		"a replaced none":   func(j *Job) { j.Replaces = []matrix.DelayID{{}} },
		"not UTF-8":         func(j *Job) { j.Session = "\xff" },
		"a long text":       func(j *Job) { j.Session = strings.Repeat("x", longestText+1) },
		"itself replaced":   func(j *Job) { j.Replaces = []matrix.DelayID{j.DelayID} },
	} {
		t.Run(name, func(t *testing.T) {
			bad := job
			change(&bad)
			_, err := ParseCompact(bad.Compact(), job.User)
			e, ok := errors.AsType[*RecordError](err)
			if !ok || e.Key.Identity != job.Identity {
				t.Errorf("reading the compact record of %+v: got the error %v, want a RecordError about %q", bad, err, job.Identity)
			}
		})
	}
	if _, err := ParseCompact(append(bytes.Clone(good), 0), job.User); err == nil {
		t.Errorf("ParseCompact(%x) with another byte behind it: got no error, want one", good)
	}
}

// FuzzCompact reads random bytes as a compact record. If they are a valid job, the test
// writes that job and reads it again. The job must not change.
func FuzzCompact(f *testing.F) {
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		f.Fatal(err)
	}
	id, err := matrix.ParseDelayID("syd_a")
	if err != nil {
		f.Fatal(err)
	}
	for _, key := range names {
		job := New(key, user, id, MaxDelay, noon)
		f.Add(job.Compact())
		job = job.connected(noon, "PA_1")
		job.Replaces = []matrix.DelayID{id, id}
		f.Add(job.Compact())
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		job, err := ParseCompact(b, user)
		if err != nil {
			return
		}
		wantCompacted(t, job)
	})
}
