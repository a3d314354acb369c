package leave

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// field describes one field of a [Job]. The name and some of the other values come from
// the tag of that field.
type field struct {
	name         string       // the name of the field in a record
	index        []int        // where the field is in a Job (reflect.StructField.Index)
	kind         reflect.Type // the type of the field in a Job
	always, past bool         // whether the tag has the word "always" or "past" (see Job)
	plain        bool         // whether the value is a text, a number or a bool
}

// fields are all fields of a job, in their order in the struct.
var fields = fieldsOf(reflect.TypeFor[Job](), nil)

// fieldsOf returns the fields of the struct t. The argument at is where this struct is
// in a Job. It is nil for the Job itself.
func fieldsOf(t reflect.Type, at []int) (all []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(at), i)
		tag, tagged := f.Tag.Lookup("record")
		if !tagged { // the field is a struct; only its own fields have tags
			all = append(all, fieldsOf(f.Type, index)...)
			continue
		}
		words := strings.Split(tag, ",")
		all = append(all, field{words[0], index, f.Type, slices.Contains(words, "always"), slices.Contains(words, "past"), isPlain(f.Type)})
	}
	return all
}

// in returns this field of the job j, so that the caller can read it or set it.
func (f field) in(j *Job) reflect.Value { return reflect.ValueOf(j).Elem().FieldByIndex(f.index) }

// eachTime calls the function do with a pointer to every time of j, so that do can
// change the time.
func (j *Job) eachTime(do func(f field, t *time.Time)) {
	for _, f := range fields {
		if t, ok := f.in(j).Addr().Interface().(*time.Time); ok {
			do(f, t)
		}
	}
}
