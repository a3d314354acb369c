package leave_test

import (
	"reflect"
	"testing"
	"time"

	"matrixrtc-auth/leave"
)

// TestMovedMovesEveryTime checks that Moved changes every time of a job, also in fields
// that are added to Job later.
func TestMovedMovesEveryTime(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_000)
	var job, want leave.Job
	if n := setTimes(reflect.ValueOf(&job).Elem(), at); n < 9 {
		t.Fatalf("times of a job: got %d, want at least 9", n)
	}
	setTimes(reflect.ValueOf(&want).Elem(), at.Add(time.Hour))
	if got := job.Moved(time.Hour); !reflect.DeepEqual(got, want) {
		t.Errorf("moved by an hour: got %+v, want %+v", got, want)
	}
	if got := (leave.Job{}).Moved(time.Hour); !reflect.DeepEqual(got, leave.Job{}) {
		t.Errorf("Moved(an hour) of the zero job: got %+v, want the zero job", got)
	}
}

// setTimes sets every field of v that is a time, and returns how many such fields v
// has.
func setTimes(v reflect.Value, at time.Time) (n int) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(at))
			n++
		case leave.Lease:
			n += setTimes(f, at)
		}
	}
	return n
}
