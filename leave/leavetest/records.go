package leavetest

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// Fields are the values of some fields of a record. The key is the name of the field.
type Fields = map[string]any

// Record returns the record of a connected job. The fields in changed have the values
// given there.
func Record(tb testing.TB, changed Fields) string {
	tb.Helper()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	old := parsed(tb, "older", now.Add(-time.Hour))
	job, err := json.Marshal(parsed(tb, "secret-id", now).Joined(now, "PA_1").Replacing(old))
	if err != nil {
		tb.Fatal(err)
	}
	var fields Fields
	if err := json.Unmarshal(job, &fields); err != nil {
		tb.Fatal(err)
	}
	maps.Copy(fields, changed)
	b, err := json.Marshal(fields)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// parsed returns a job with a delay of an hour.
func parsed(tb testing.TB, delayID string, now time.Time) leave.Job {
	tb.Helper()
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		tb.Fatal(err)
	}
	id, err := matrix.ParseDelayID(delayID)
	if err != nil {
		tb.Fatal(err)
	}
	return leave.New(leave.Key{Room: "room", Identity: "alice"}, user, id, time.Hour, now)
}

// BadFields are values of fields that no job can have. A record with one of them is
// invalid.
var BadFields = map[string]Fields{
	"no room":                                {"room": ""},
	"no identity":                            {"identity": ""},
	"no user":                                {"user": ""},
	"a user without a server":                {"user": "@alice"},
	"no delay id":                            {"delay_id": ""},
	"a delay id like a path":                 {"delay_id": ".."},
	"a long delay id":                        {"delay_id": strings.Repeat("x", 300)},
	"no state":                               {"state": ""},
	"an unknown state":                       {"state": "bogus"},
	"a state in capitals":                    {"state": "Waiting"},
	"no delay":                               {"delay": 0},
	"a negative delay":                       {"delay": -3_600_000},
	"too short a delay":                      {"delay": 499},
	"too long a delay":                       {"delay": 86_400_001},
	"a delay that overflows":                 {"delay": 9_223_372_036_855},
	"negative restarts":                      {"restarts": -7},
	"negative looks":                         {"looks": -2},
	"negative sends":                         {"sends": -1},
	"negative cancels":                       {"cancels": -1 << 40},
	"restarts without end":                   {"restarts": 1 << 31},
	"looks without end":                      {"looks": uint64(1)<<63 - 1},
	"accepted never":                         {"accepted_at": 0},
	"accepted in year 1":                     {"accepted_at": -62_135_596_800_000},
	"accepted before 1970":                   {"accepted_at": -1},
	"no since":                               {"since": 0},
	"no deadline":                            {"deadline": 0},
	"a deadline in the past":                 {"deadline": -1 << 62},
	"restarted after all time":               {"restarted": uint64(1)<<63 - 1},
	"never restarted":                        {"restarted": 0},
	"no next restart":                        {"next_restart": 0},
	"no next look":                           {"next_look": 0},
	"a negative next look":                   {"next_look": -1},
	"silent before 1970":                     {"silent_since": -1},
	"the room before 1970":                   {"room_seen": -1},
	"refused before 1970":                    {"refused": -1},
	"next cancel after time":                 {"next_cancel": 1 << 60},
	"lent for ever":                          {"until": 1 << 60},
	"a version beyond numbers":               {"version": 1 << 53},
	"it replaces many":                       {"replaces": strings.Split("a b c d e f g h i", " ")},
	"the record replaces its own delegation": {"replaces": []string{"secret-id"}},
	"it replaces nothing":                    {"replaces": []string{""}},
	"a long identity":                        {"identity": strings.Repeat("i", 65<<10)},
	"a long session":                         {"session": strings.Repeat("s", 65<<10)},
	"a long holder":                          {"holder": strings.Repeat("h", 65<<10)},
	"a number for a state":                   {"state": 7},
	"a text for a number":                    {"restarts": "7"},
	"a fraction":                             {"looks": 1.5},
	"a huge number":                          {"deadline": 1e300},
	"an object for a text":                   {"user": Fields{}},
	"a text for a list":                      {"replaces": "a"},
	"a text for a truth":                     {"clear_leave": "true"},
}
