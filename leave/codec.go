package leave

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"matrixrtc-auth/matrix"
)

// A record is the form in which stores write a job. It is a JSON object. The job's
// fields have the names in their tags. Times are in milliseconds since 1970, and delays
// in milliseconds.

// recordType returns the struct type for JSON records: records are decoded into it and
// encoded from it.
var recordType = sync.OnceValue(func() reflect.Type {
	var in []reflect.StructField
	for _, f := range fields {
		tag := f.name
		if !f.always {
			tag += ",omitempty"
		}
		name := reflect.TypeFor[Job]().FieldByIndex(f.index).Name
		in = append(in, reflect.StructField{Name: name, Type: f.recorded(), Tag: reflect.StructTag(`json:"` + tag + `"`)})
	}
	return reflect.StructOf(in)
})

// recorded returns the type of the field in a record.
func (f field) recorded() reflect.Type {
	switch f.kind {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration]():
		return reflect.TypeFor[int64]()
	case reflect.TypeFor[matrix.UserID](), reflect.TypeFor[matrix.DelayID]():
		return reflect.TypeFor[string]()
	case reflect.TypeFor[[]matrix.DelayID]():
		return reflect.TypeFor[[]string]()
	}
	return f.kind
}

// MarshalJSON returns the record of the job.
func (j Job) MarshalJSON() ([]byte, error) {
	r := reflect.New(recordType()).Elem()
	for i, f := range fields {
		r.Field(i).Set(reflect.ValueOf(record(f.in(&j).Interface())))
	}
	return json.Marshal(r.Interface())
}

// record converts v, the value of a job's field, to the value in a record.
func record(v any) any {
	switch v := v.(type) {
	case time.Time:
		return millis(v)
	case time.Duration:
		return v.Milliseconds()
	case matrix.UserID:
		return v.String()
	case matrix.DelayID:
		return v.String()
	case []matrix.DelayID:
		var ids []string
		for _, id := range v {
			ids = append(ids, id.String())
		}
		return ids
	}
	return v
}

// UnmarshalJSON reads a record. It returns a *[RecordError] if the record is not a
// valid job.
func (j *Job) UnmarshalJSON(b []byte) error {
	var read Job
	r := reflect.New(recordType())
	err := unlikeRecord(json.Unmarshal(b, r.Interface()))
	for i, f := range fields { // after an error, the loop goes on, so that the error can name the job
		err = cmp.Or(err, f.read(&read, r.Elem().Field(i).Interface()))
	}
	if err == nil {
		err = read.check()
	}
	if err != nil {
		return &RecordError{Key{read.Room, read.Identity}, err}
	}
	*j = read
	return nil
}

// unlikeRecord returns a short error if err says that a value has the wrong type for
// its field. It returns any other err as it is.
func unlikeRecord(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s cannot hold this JSON value: %.40s", cmp.Or(e.Field, "a record"), e.Value)
	}
	return err
}

// errDelayID does not contain the delay id, because anybody who knows a delay id can
// send the leave.
var errDelayID = errors.New("a delay id in the record is not valid")

// read sets the field of j to recorded, which is the field's value in a record. It
// returns an error if the value is not valid.
func (f field) read(j *Job, recorded any) (err error) {
	switch to := f.in(j).Addr().Interface().(type) {
	case *time.Time:
		ms := recorded.(int64)
		*to, err = instant(ms), f.checkTime(ms)
	case *time.Duration:
		ms := recorded.(int64)
		*to, err = time.Duration(ms)*time.Millisecond, f.checkDelay(ms)
	case *matrix.UserID:
		*to, err = matrix.ParseUserID(recorded.(string))
	case *matrix.DelayID:
		*to, err = parseDelayID(recorded.(string))
	case *[]matrix.DelayID:
		*to, err = parseDelayIDs(recorded.([]string))
	default:
		f.in(j).Set(reflect.ValueOf(recorded))
		err = f.checkValue(f.in(j))
	}
	return err
}

func parseDelayIDs(texts []string) (ids []matrix.DelayID, err error) {
	for _, text := range texts {
		id, err := parseDelayID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func parseDelayID(text string) (matrix.DelayID, error) {
	id, err := matrix.ParseDelayID(text)
	if err != nil {
		return id, errDelayID
	}
	return id, nil
}

// millis returns t in milliseconds since 1970. It returns 0 for the zero time, and 1
// for a time before 1970, which only a wrongly set clock can give.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(t.UnixMilli(), 1), latest-1)
}

// instant returns the time for ms milliseconds since 1970. It is the inverse of millis.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
