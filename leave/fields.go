package leave

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// field describes one field of a [Job], and what the tag of that field says.
type field struct {
	name         string       // the field's name in a record
	index        []int        // where the field is in a Job, for reflect
	kind         reflect.Type // the field's type in a Job
	always, past bool         // whether the tag has the word "always" or "past" (see Job)
	plain        bool         // whether the value is a text, a number or a bool
}

// fields are all fields of a job, in the order of the struct.
var fields = fieldsOf(reflect.TypeFor[Job](), nil)

// fieldsOf returns the fields of the struct t. at is the index of that struct in a
// Job. It is nil for the Job itself.
func fieldsOf(t reflect.Type, at []int) (all []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(at), i)
		tag, tagged := f.Tag.Lookup("record")
		if !tagged { // the field is a struct, and its own fields have tags
			all = append(all, fieldsOf(f.Type, index)...)
			continue
		}
		words := strings.Split(tag, ",")
		all = append(all, field{words[0], index, f.Type, slices.Contains(words, "always"), slices.Contains(words, "past"), isPlain(f.Type)})
	}
	return all
}

// in returns the field of j, so that the caller can read or set it.
func (f field) in(j *Job) reflect.Value { return reflect.ValueOf(j).Elem().FieldByIndex(f.index) }

// eachTime calls do with every time of j, so that do can change it.
func (j *Job) eachTime(do func(f field, t *time.Time)) {
	for _, f := range fields {
		if t, ok := f.in(j).Addr().Interface().(*time.Time); ok {
			do(f, t)
		}
	}
}
