package leave

import (
	"encoding/base64"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A compact record is a job in few bytes. It is for a store that several processes
// share, and that keeps jobs after this process has ended. The first number of a
// compact record has a bit for each field. The bit says whether the record contains the
// field. The fields follow in the order of their numbers. Fields with the value zero
// are left out.
//
// Numbers are varints. The time at which the service accepted the delegation is in
// milliseconds since 1970. All other times are in milliseconds after that time (see
// sinceAccepted). A text begins with its length and its form, and its bytes follow. The
// record does not contain the user, the version and the lease: the store keeps them
// beside the record.

// numbered lists the fields by their numbers in a compact record. A field with an even
// number is a varint there, and a field with an odd number is a text. So a program can
// skip a field that only later versions know. The number of a field never changes. The
// fields that most jobs need have the lowest numbers. So the number with which a record
// begins, and which has a bit for each field, is short.
var numbered = [...]string{
	0: "accepted_at", 1: "room",
	2: "delay", 3: "identity",
	4: "state", 5: "delay_id",
	6: "since", 7: "session",
	8: "deadline", 9: "left_session",
	10: "restarted", 11: "replaces",
	12: "next_restart",
	14: "next_look",
	16: "room_seen",
	18: "looks",
	20: "next_cancel",
	22: "restarts",
	24: "sends",
	26: "cancels",
	28: "clear_leave",
	30: "room_lost",
	32: "refused",
	34: "unrecorded",
	36: "silent_since",
}

// numberedStates lists the states by their numbers in records. No state has the number
// 0.
var numberedStates = []State{"", Waiting, Connected, Leaving, Sending, Cancelling}

// Number returns the state's number in records, which never changes. It returns
// -1 for a text that is not a state.
func (s State) Number() int {
	if s == "" {
		return -1
	}
	return slices.Index(numberedStates, s)
}

// compactField maps a field's number (its index in numbered) to its index in fields. If
// no field has the number, the index is -1.
var compactField = func() (at [len(numbered)]int) {
	for n, name := range numbered {
		at[n] = -1
		if name != "" {
			at[n] = slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		}
	}
	return at
}()

// Compact returns j as a compact record. Times are cut to milliseconds.
func (j Job) Compact() []byte {
	present, body := uint64(0), make([]byte, 0, 256)
	for n, i := range compactField {
		if i < 0 {
			continue
		}
		if v := reflect.ValueOf(record(fields[i].in(&j).Interface())); !v.IsZero() {
			present |= 1 << n
			body = fields[i].appendCompact(body, v, j)
		}
	}
	return append(binary.AppendUvarint(make([]byte, 0, len(body)+8), present), body...)
}

// appendCompact appends v, the value of the field f of j, to b.
func (f field) appendCompact(b []byte, v reflect.Value, j Job) []byte {
	switch {
	case f.kind == reflect.TypeFor[State]():
		return binary.AppendVarint(b, int64(j.State.Number()))
	case v.Kind() == reflect.String:
		return appendText(b, v.String(), j.User.String())
	case v.Kind() == reflect.Slice:
		return appendTexts(b, v.Interface().([]string))
	case v.Kind() == reflect.Bool:
		return binary.AppendVarint(b, 1)
	}
	number := v.Int()
	if f.isAfterAccepted() {
		number = sinceAccepted(number, millis(j.AcceptedAt))
	}
	return binary.AppendVarint(b, number)
}

// isAfterAccepted reports whether f is a time that a compact record stores as a number
// of milliseconds, counted from the time at which the service accepted the delegation.
func (f field) isAfterAccepted() bool {
	return f.kind == reflect.TypeFor[time.Time]() && f.name != numbered[0]
}

// sinceAccepted returns the number that stands for the time ms in a compact record.
// accepted is the time at which the service accepted the delegation. Both times are in
// milliseconds since 1970. The number is 0 for the time never, which most jobs have in
// some field. For a time before accepted, it is the negative difference. For any other
// time, it is the difference plus 1.
func sinceAccepted(ms, accepted int64) int64 {
	switch {
	case ms == never.UnixMilli():
		return 0
	case ms >= accepted:
		return ms - accepted + 1
	}
	return ms - accepted
}

// afterAccepted returns the time for a number in a compact record. It is the inverse of
// sinceAccepted.
func afterAccepted(number, accepted int64) int64 {
	switch {
	case number == 0:
		return never.UnixMilli()
	case number > 0:
		return accepted + number - 1
	}
	return accepted + number
}

func appendTexts(b []byte, texts []string) []byte {
	var list []byte
	for _, text := range texts {
		list = appendText(list, text, "")
	}
	return appendText(b, string(list), "")
}

// A text in a compact record has one of these forms.
const (
	asItIs     = 0
	base64Form = 1 // the bytes are the text, decoded from unpadded base64; hashes are shorter in this form
	behindUser = 2 // the text is the job's user id, and then the bytes; identities of old clients are shorter in this form
	// The bytes are the text up to its first "_", and then the decoded remainder of the
	// text, which is unpadded base64. Ids like "syd_…" and "PA_…" are shorter in this
	// form.
	behindBeginning = 3
	formBits        = 2
)

// appendText appends text to b, in the form with the fewest bytes. The argument user is
// the job's user id, with which the text may begin; "" for none.
func appendText(b []byte, text, user string) []byte {
	form, short := shortest(text, user)
	b = binary.AppendUvarint(b, uint64(len(short))<<formBits|form)
	return append(b, short...)
}

// shortest returns the form in which text has the fewest bytes, and these bytes.
func shortest(text, user string) (form uint64, short string) {
	if raw, ok := fromBase64(text); ok {
		return base64Form, raw
	}
	if rest, ok := strings.CutPrefix(text, user); ok && user != "" {
		return behindUser, rest
	}
	if beginning, rest, ok := strings.Cut(text, "_"); ok {
		if raw, ok := fromBase64(rest); ok {
			return behindBeginning, beginning + "_" + raw
		}
	}
	return asItIs, text
}

// fromBase64 decodes text from unpadded base64. ok is false if text is not unpadded
// base64, or if the decoded bytes are not shorter than text.
func fromBase64(text string) (raw string, ok bool) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return string(b), err == nil && len(b) < len(text) && !strings.ContainsAny(text, "\r\n")
}
