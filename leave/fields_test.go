package leave

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
)

// TestEveryFieldIsKept checks that a job keeps every field when it is written as a
// record or packed (see Job.Pack), and read again. One of the jobs has a value in every
// field. In another one, some fields have the zero value.
func TestEveryFieldIsKept(t *testing.T) {
	full := in(t, Connected)
	for _, f := range fields {
		fill(t, f.in(&full))
	}
	for name, job := range map[string]Job{"full": full, "sparse": in(t, Waiting)} {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			var read Job
			if err := json.Unmarshal(b, &read); err != nil {
				t.Fatal(err)
			}
			wantKept(t, "a record", read, job)
			packed, _ := job.Pack()
			wantKept(t, "a packed job", packed.Job(job.Key, job.User), job)
			job.Since = job.Since.Add(1234 * time.Microsecond)
			packed, unpacked := job.Pack()
			wantKept(t, "the job that Pack returns", unpacked, packed.Job(job.Key, job.User))
		})
	}
}

// fill sets v, a field of a job, to a valid value. It does nothing if v already has a
// value.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	if !v.IsZero() {
		return
	}
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		*to = noon
	case *string:
		*to = "text"
	case *bool:
		*to = true
	case *int:
		*to = 300
	case *uint64:
		*to = latest - 1
	case *[]matrix.DelayID:
		for _, text := range []string{"syd_b", "syd_c"} {
			id, err := matrix.ParseDelayID(text)
			if err != nil {
				t.Fatal(err)
			}
			*to = append(*to, id)
		}
	default:
		t.Fatalf("got a field of type %T, want a type that this function fills", to)
	}
}

// wantKept checks that all fields of got and want are equal. The argument where says
// from what kind of record got was read, for example "a compact record". An error shows
// this text.
func wantKept(t *testing.T, where string, got, want Job) {
	t.Helper()
	for _, f := range fields {
		got, want := f.in(&got).Interface(), f.in(&want).Interface()
		if at, ok := want.(time.Time); ok && at.Equal(got.(time.Time)) {
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the field %s in %s: got %v, want %v", f.name, where, got, want)
		}
	}
}
