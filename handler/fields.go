package handler

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// maxFields is the largest number of fields that this service reads from one
// JSON object.
const maxFields = 6

// fields holds the known fields of one JSON object in a request, and ignores
// all other fields. err keeps the first fault of the request. The fault is a
// *fieldError, and the client gets 400 M_BAD_JSON. After a fault, every further
// value is zero.
type fields struct {
	object string // the path of the object; "" at the top level
	names  [maxFields]string
	values [maxFields]value
	err    *error
}

// readFields reads the fields with these names at the top level of the body.
func readFields(body []byte, names ...string) fields {
	f := fields{err: new(error)}
	v, err := parseJSON(body)
	switch {
	case err != nil:
		*f.err = err
	case !v.isObject():
		*f.err = errNotObject
	default:
		f.find(v, names)
	}
	return f
}

// find looks for the fields with these names in object. If a name occurs
// several times, the last one counts, as in a browser.
func (f *fields) find(object value, names []string) {
	copy(f.names[:], names)
	for name, v, rest, ok := cutMember(object[1:]); ok; name, v, rest, ok = cutMember(rest) {
		for i := range names {
			if name.isText(names[i]) {
				f.values[i] = v
			}
		}
	}
}

// optional returns the value of a field, or nil if it is absent or null.
func (f *fields) optional(name string) value {
	if *f.err != nil {
		return nil
	}
	v := f.values[slices.Index(f.names[:], name)]
	if v == nil || v.isNull() {
		return nil
	}
	return v
}

// required returns the value of a field. If the field is absent or null,
// required records a fault.
func (f *fields) required(name string) value {
	v := f.optional(name)
	if v == nil {
		f.fail(name, faultMissing)
	}
	return v
}

// inner reads the object in the field called name, and returns some fields of
// this object. If the object is missing, inner records a fault.
func (f *fields) inner(name string, names ...string) fields {
	inner := fields{object: name, err: f.err}
	v := f.required(name)
	switch {
	case v == nil:
	case !v.isObject():
		f.fail(name, "must be an object")
	default:
		inner.find(v, names)
	}
	return inner
}

// text returns a string. If the string is missing or empty, text records a
// fault.
func (f *fields) text(name string) string {
	s := f.anyText(name)
	if s == "" {
		f.fail(name, faultMissing)
	}
	return s
}

// anyText returns a string, which may be empty. If the field is missing,
// anyText records a fault.
func (f *fields) anyText(name string) string {
	v := f.required(name)
	switch {
	case v == nil:
		return ""
	case !v.isString():
		f.fail(name, "must be a string")
		return ""
	}
	return v.text()
}

// parsed reads a string, and returns the result of parse. If the string is
// missing or parse fails, parsed records a fault.
func parsed[T any](f *fields, name string, parse func(string) (T, error)) T {
	text := f.text(name)
	var zero T
	if *f.err != nil {
		return zero
	}
	v, err := parse(text)
	if err != nil {
		f.fail(name, faultInvalid)
		return zero
	}
	return v
}

const (
	faultMissing = "is missing"
	faultInvalid = "is not valid"
	faultDelay   = "must be a number of milliseconds, at least 500"
)

func (f *fields) fail(name, fault string) {
	if *f.err != nil {
		return
	}
	if f.object != "" {
		name = f.object + "." + name
	}
	*f.err = &fieldError{field: name, fault: fault}
}

// openIDToken returns the OpenID token. Clients send the token exactly as their
// homeserver gave it to them, so the field has the form of the Client-Server
// API. openIDToken ignores token_type and expires_in.
func (f *fields) openIDToken() matrix.OpenIDToken {
	t := f.inner("openid_token", "access_token", "matrix_server_name")
	return matrix.OpenIDToken{
		AccessToken: secret.New(t.text("access_token")),
		Server:      parsed(&t, "matrix_server_name", matrix.ParseServerName),
	}
}

// delegation reads the two fields with which a client hands over a leave. If
// both fields are absent, it returns nil. If only one is absent, the client
// gets 400 M_BAD_JSON. delegation ignores the field delay_cs_api_url, because
// any stranger can write it.
func (f *fields) delegation() *access.Leave {
	if f.optional("delay_id") == nil && f.optional("delay_timeout") == nil {
		return nil
	}
	return &access.Leave{ID: parsed(f, "delay_id", matrix.ParseDelayID), Delay: f.delay("delay_timeout")}
}

// delay reads a time in milliseconds. Newer clients write a number. Older
// clients write a string with a number in it. A time of more than
// leave.MaxDelay (24 h) counts as leave.MaxDelay. If the time is missing, or
// less than leave.MinDelay (500 ms), the client gets 400 M_BAD_JSON.
func (f *fields) delay(name string) time.Duration {
	v := f.required(name)
	if v == nil {
		return 0
	}
	text := string(v)
	switch {
	case v.isString():
		text = v.text()
	case !v.isNumber():
		f.fail(name, "must be a number")
		return 0
	}
	delay, ok := parseMillis(text)
	if !ok {
		f.fail(name, faultDelay)
	}
	return delay
}

// parseMillis reads a JSON number of milliseconds. It cuts off the fraction,
// and returns at most leave.MaxDelay. ok is false if text is no number, or if
// the time is less than leave.MinDelay.
func parseMillis(text string) (time.Duration, bool) {
	if !json.Valid([]byte(text)) || !value(text).isNumber() {
		return 0, false
	}
	ms, _ := strconv.ParseFloat(text, 64) // ParseFloat returns infinity if the number is too large
	switch {
	case ms >= float64(leave.MaxDelay.Milliseconds()):
		return leave.MaxDelay, true
	case ms < float64(leave.MinDelay.Milliseconds()):
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}
