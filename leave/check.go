package leave

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// RecordError says that a stored record is no job.
type RecordError struct {
	Key Key // as far as it could be read
	Err error
}

// Error names the job, without its delay id.
func (e *RecordError) Error() string {
	return fmt.Sprintf("the record of %.80q in room %.80q is no job: %v", e.Key.Identity, e.Key.Room, e.Err)
}

// Unwrap returns why.
func (e *RecordError) Unwrap() error { return e.Err }

const (
	// latest is later than any time in a record, in milliseconds, and what no
	// version reaches: beyond it Redis' numbers have gaps.
	latest = 1 << 53
	// mostFailures is more than can fail in the life of a job.
	mostFailures = math.MaxInt32 / 2
	// longestText is what one webhook of the SFU could hold, in bytes.
	longestText = 64 << 10
)

// Stores are files and servers that others can write to, and one bad number would
// stop whoever works with it. So every field is checked, and then the job.

// checkTime returns why ms cannot be the field's time.
func (f field) checkTime(ms int64) error {
	if ms < 0 || ms >= latest || ms == 0 && f.always {
		return fmt.Errorf("%s cannot be %d", f.name, ms)
	}
	return nil
}

// checkDelay returns why a job has no delay of ms.
func (f field) checkDelay(ms int64) error {
	if ms < MinDelay.Milliseconds() || ms > MaxDelay.Milliseconds() {
		return fmt.Errorf("a %s of %d ms is not between %v and %v", f.name, ms, MinDelay, MaxDelay)
	}
	return nil
}

// checkValue returns why v, a text or a number, cannot be the field's.
func (f field) checkValue(v reflect.Value) error {
	switch {
	case v.Kind() == reflect.String && len(v.String()) > longestText:
		return fmt.Errorf("%s has %d bytes, more than %d", f.name, len(v.String()), longestText)
	case v.CanInt() && (v.Int() < 0 || v.Int() > mostFailures):
		return fmt.Errorf("%s cannot be %d", f.name, v.Int())
	case v.CanUint() && v.Uint() >= latest:
		return fmt.Errorf("%s cannot be %d", f.name, v.Uint())
	}
	return nil
}

// check returns why j, whose fields could each be one's, is no job.
func (j Job) check() error {
	switch {
	case j.Room == "" || j.Identity == "":
		return errors.New("it has no room or identity")
	case !slices.Contains(States(), j.State):
		return fmt.Errorf("there is no state %.40q", j.State)
	case len(j.Replaces) > maxReplaced:
		return fmt.Errorf("it replaces %d others, more than %d", len(j.Replaces), maxReplaced)
	case slices.Contains(j.Replaces, j.DelayID):
		return errors.New("it replaces itself")
	}
	return nil
}
