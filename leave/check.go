package leave

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// RecordError says that a stored record is not a valid job.
type RecordError struct {
	Key Key // the job's key, as far as it could be read
	Err error
}

// Error names the job, but does not contain the job's delay id.
func (e *RecordError) Error() string {
	return fmt.Sprintf("the record of %.80q in room %.80q is not a valid job: %v", e.Key.Identity, e.Key.Room, e.Err)
}

// Unwrap returns why the record is not a valid job.
func (e *RecordError) Unwrap() error { return e.Err }

const (
	// latest bounds the times (in milliseconds since 1970) and the versions in a record.
	// They must be smaller than latest, because the scripts in Redis cannot represent
	// every whole number above it.
	latest = 1 << 53
	// mostFailures is more than the failures that a job can have in its life.
	mostFailures = math.MaxInt32 / 2
	// longestText is the greatest length of a text in a record, in bytes. Texts in
	// webhooks are shorter.
	longestText = 64 << 10
)

// Other programs can write to the files and servers in which jobs are stored. A single
// wrong number in a job could stop a keeper. So each field of a record is checked, and
// then the job as a whole.

// checkTime returns an error if ms is not a valid time for the field.
func (f field) checkTime(ms int64) error {
	if ms < 0 || ms >= latest || ms == 0 && f.always {
		return fmt.Errorf("the field %s cannot have the value %d", f.name, ms)
	}
	return nil
}

// checkDelay returns an error if ms is not a valid delay.
func (f field) checkDelay(ms int64) error {
	if ms < MinDelay.Milliseconds() || ms > MaxDelay.Milliseconds() {
		return fmt.Errorf("the field %s is %d ms, which is not between %v and %v", f.name, ms, MinDelay, MaxDelay)
	}
	return nil
}

// checkValue returns an error if v, a text or a number, is not valid for the field.
func (f field) checkValue(v reflect.Value) error {
	switch {
	case v.Kind() == reflect.String && len(v.String()) > longestText:
		return fmt.Errorf("the field %s has %d bytes, more than %d", f.name, len(v.String()), longestText)
	case v.CanInt() && (v.Int() < 0 || v.Int() > mostFailures):
		return fmt.Errorf("the field %s cannot have the value %d", f.name, v.Int())
	case v.CanUint() && v.Uint() >= latest:
		return fmt.Errorf("the field %s cannot have the value %d", f.name, v.Uint())
	}
	return nil
}

// check returns an error if the fields of j do not fit together. The caller has already
// checked each field alone.
func (j Job) check() error {
	switch {
	case j.Room == "" || j.Identity == "":
		return errors.New("the record has no room or no identity")
	case !slices.Contains(States(), j.State):
		return fmt.Errorf("%.40q is not a state of a job", j.State)
	case len(j.Replaces) > maxReplaced:
		return fmt.Errorf("the record replaces %d delegations, but at most %d are allowed", len(j.Replaces), maxReplaced)
	case slices.Contains(j.Replaces, j.DelayID):
		return errors.New("the record replaces its own delegation")
	}
	return nil
}
