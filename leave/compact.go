package leave

import (
	"encoding/base64"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A compact record is a job in few bytes, for a store that others share and that
// outlives this process. It begins with a number whose bits say which fields
// follow, in the order of their numbers; a field that is zero is left out.
// Numbers are varints. Times are milliseconds after the delegation was accepted
// (see sinceAccepted), which is in milliseconds since 1970. A text is its length
// and its form, and then its bytes. User, version and lease are the store's to
// keep.

// numbered gives the fields their numbers in a compact record. A field with an
// even number is a varint there, one with an odd number a text: so a version
// that does not know a field can skip it. A number is given once and for ever.
// The fields that most jobs have come first, which keeps the bits short.
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

// numberedStates gives the states theirs. None is 0.
var numberedStates = []State{"", Waiting, Connected, Leaving, Sending, Cancelling}

// Number returns the state's number in records, which never changes; -1 for what
// is no state.
func (s State) Number() int {
	if s == "" {
		return -1
	}
	return slices.Index(numberedStates, s)
}

// compactField says where among fields the one of each number is, -1 for none.
var compactField = func() (at [len(numbered)]int) {
	for n, name := range numbered {
		at[n] = -1
		if name != "" {
			at[n] = slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		}
	}
	return at
}()

// Compact returns j as a compact record. Times are to the millisecond.
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

// appendCompact appends v, which a record of j has in f.
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

// isAfterAccepted reports whether f is a time that a compact record has as one
// after the delegation was accepted.
func (f field) isAfterAccepted() bool {
	return f.kind == reflect.TypeFor[time.Time]() && f.name != numbered[0]
}

// sinceAccepted is what a compact record has of a time. Never, which most jobs
// have, is 0, so what is not before accepted is one more than the difference.
func sinceAccepted(ms, accepted int64) int64 {
	switch {
	case ms == never.UnixMilli():
		return 0
	case ms >= accepted:
		return ms - accepted + 1
	}
	return ms - accepted
}

// afterAccepted is the reverse of sinceAccepted.
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

// The forms of a text in a compact record.
const (
	asItIs     = 0
	base64Form = 1 // what follows is what it says in unpadded base64, as hashes are
	behindUser = 2 // what follows comes after the user's name, as in the identity of old clients
	// What follows is a beginning up to its first "_", and behind that what the
	// rest says in unpadded base64, as in syd_ and letters and PA_ and letters.
	behindBeginning = 3
	formBits        = 2
)

// appendText appends text in its shortest form.
func appendText(b []byte, text, user string) []byte {
	form, short := shortest(text, user)
	b = binary.AppendUvarint(b, uint64(len(short))<<formBits|form)
	return append(b, short...)
}

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

// fromBase64 returns what text says in unpadded base64, if it is just that and
// longer.
func fromBase64(text string) (raw string, ok bool) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return string(b), err == nil && len(b) < len(text) && !strings.ContainsAny(text, "\r\n")
}
