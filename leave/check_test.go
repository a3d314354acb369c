package leave_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
)

// TestBadRecords reads records that are not valid jobs. The error must name the job,
// and must not contain the job's delay id.
func TestBadRecords(t *testing.T) {
	for name, changed := range leavetest.BadFields {
		t.Run(name, func(t *testing.T) {
			wantNoJob(t, leavetest.Record(t, changed))
		})
	}
	whole := leavetest.Record(t, nil)
	for name, text := range map[string]string{
		"nothing":           "",
		"null":              "null",
		"a list":            "[]",
		"an empty object":   "{}",
		"not a number":      strings.Replace(whole, `"delay":3600000`, `"delay":NaN`, 1),
		"cut off":           whole[:len(whole)-1],
		"more behind":       whole + "{}",
		"the last of two":   strings.Replace(whole, `"state":`, `"state":"waiting","state":"bogus","x":`, 1),
		"names in capitals": strings.ReplaceAll(whole, `"state":"connected"`, `"STATE":"bogus"`),
		"deep":              strings.Repeat(`{"room":`, 20_000),
	} {
		t.Run(name, func(t *testing.T) { wantNoJob(t, text) })
	}
}

func wantNoJob(t *testing.T, text string) {
	t.Helper()
	var job leave.Job
	err := json.Unmarshal([]byte(text), &job)
	if err == nil {
		t.Fatalf("reading the record %.300s: got the job %+v and no error, want an error", text, job)
	}
	if strings.Contains(err.Error(), "secret-id") || len(err.Error()) > 1000 {
		t.Errorf("Unmarshal(%.300s): got the error %.1100q, want at most 1000 bytes without the delay id", text, err.Error())
	}
	if bad, ok := errors.AsType[*leave.RecordError](err); ok && bad.Key.Room != "" && !strings.Contains(err.Error(), string(bad.Key.Room)) {
		t.Errorf("Unmarshal(%.300s): got the error %v, want the room %q in it", text, err, bad.Key.Room)
	}
}

// TestOddRecords reads records with unusual but possible values. They must be valid
// jobs.
func TestOddRecords(t *testing.T) {
	for name, changed := range map[string]leavetest.Fields{
		"as it was":             nil,
		"names of a later form": {"colour": "blue"},
		"bytes of no text":      {"session": "\xff\xfe"},
		"a line break":          {"identity": "a\nb"},
		"the shortest delay":    {"delay": 500},
		"the longest delay":     {"delay": 86_400_000},
		"looked at never again": {"next_look": 253_370_764_800_000},
		"long after":            {"next_restart": 253_402_300_799_999, "deadline": 253_402_300_799_999},
		"many failures":         {"restarts": 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			var job leave.Job
			if err := json.Unmarshal([]byte(leavetest.Record(t, changed)), &job); err != nil {
				t.Errorf("json.Unmarshal: got %v, want no error", err)
			}
		})
	}
}

// TestWrittenAsItIsRead checks that a job that was written as a record can be read
// again. Some of the jobs have times before 1970, as if the clock was wrong.
func TestWrittenAsItIsRead(t *testing.T) {
	job := leavetest.Many(t, 1, time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	for _, moved := range []time.Duration{0, -60 * 365 * 24 * time.Hour, 200 * 365 * 24 * time.Hour} {
		t.Run(fmt.Sprintf("moved by %v", moved), func(t *testing.T) {
			b, err := json.Marshal(job.Moved(moved))
			if err != nil {
				t.Fatal(err)
			}
			var got leave.Job
			if err := json.Unmarshal(b, &got); err != nil {
				t.Errorf("moved by %v: got %v, want no error", moved, err)
			}
		})
	}
}
