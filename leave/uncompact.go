package leave

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"matrixrtc-auth/matrix"
)

// ParseCompact parses a compact record of a job that belongs to user. It returns a
// *[RecordError] if the record is cut off, or is not a valid job. It ignores fields
// that only later versions of the program know.
func ParseCompact(b []byte, user matrix.UserID) (Job, error) {
	read := Job{User: user}
	recorded := reflect.New(recordType()).Elem()
	in := compact{rest: b, user: user.String()}
	in.fields(recorded)
	err := in.err
	if err == nil && len(in.rest) > 0 {
		err = errors.New("the record continues after its last field")
	}
	for _, i := range compactField {
		if i >= 0 { // after an error, the loop goes on, so that the error can name the job
			err = cmp.Or(err, fields[i].read(&read, recorded.Field(i).Interface()))
		}
	}
	if err == nil {
		err = read.check()
	}
	if err != nil {
		return Job{}, &RecordError{read.Key, err}
	}
	return read, nil
}

// compact is the part of a compact record that has not been read yet. After an error it
// is empty.
type compact struct {
	rest []byte
	user string
	err  error
}

// mostNumbers is how many fields a compact record can have at most.
const mostNumbers = 64

// fields reads all fields of the record. It stores the values of those fields that this
// version of the program knows in the struct recorded, and ignores the other fields.
func (c *compact) fields(recorded reflect.Value) {
	present, accepted := c.uint(), int64(0)
	for n := range mostNumbers {
		if present&(1<<n) == 0 {
			continue
		}
		var number int64
		var text string
		if n%2 == 1 {
			text = c.text()
		} else {
			number = c.int()
		}
		if n == 0 {
			accepted = number
		}
		if n < len(compactField) && compactField[n] >= 0 {
			f := fields[compactField[n]]
			if f.isAfterAccepted() {
				number = afterAccepted(number, accepted)
			}
			c.set(f, recorded.Field(compactField[n]), number, text)
		}
	}
}

// set stores a value in a field of a record. f describes the field, and to is the field
// itself. If the field holds a number, a bool or a state, the value is the argument
// number. Otherwise the value is the argument text.
func (c *compact) set(f field, to reflect.Value, number int64, text string) {
	switch {
	case c.err != nil:
	case f.kind == reflect.TypeFor[State]():
		if number <= 0 || number >= int64(len(numberedStates)) {
			c.fail(fmt.Errorf("%d is not a state of a job", number))
			return
		}
		to.SetString(string(numberedStates[number]))
	case to.Kind() == reflect.Slice:
		to.Set(reflect.ValueOf(c.texts(text)))
	case to.Kind() == reflect.String && !utf8.ValidString(text):
		c.fail(fmt.Errorf("the field %s is not UTF-8", f.name))
	case to.Kind() == reflect.String:
		to.SetString(text)
	case to.Kind() == reflect.Bool:
		to.SetBool(number != 0)
	default:
		to.SetInt(number)
	}
}

// texts splits list, the bytes of a field that holds several texts, into these texts.
func (c *compact) texts(list string) (texts []string) {
	in := compact{rest: []byte(list)}
	for len(in.rest) > 0 {
		texts = append(texts, in.text())
	}
	if in.err != nil {
		c.fail(in.err)
	}
	return texts
}

// fail records err as the error of the record, unless there is one already. It drops
// what has not been read yet.
func (c *compact) fail(err error) {
	c.err, c.rest = cmp.Or(c.err, err), nil
}

var errCut = errors.New("the record is cut off, or a number in it is too large")

func (c *compact) uint() uint64 {
	n, length := binary.Uvarint(c.rest)
	if length <= 0 {
		c.fail(errCut)
		return 0
	}
	c.rest = c.rest[length:]
	return n
}

func (c *compact) int() int64 {
	n, length := binary.Varint(c.rest)
	if length <= 0 {
		c.fail(errCut)
		return 0
	}
	c.rest = c.rest[length:]
	return n
}

// text reads a text that appendText has written.
func (c *compact) text() string {
	header := c.uint()
	length := header >> formBits
	if length > uint64(len(c.rest)) {
		c.fail(errCut)
		return ""
	}
	text := string(c.rest[:length])
	c.rest = c.rest[length:]
	switch header & (1<<formBits - 1) {
	case asItIs:
		return text
	case base64Form:
		return base64.RawStdEncoding.EncodeToString([]byte(text))
	case behindUser:
		return c.user + text
	}
	beginning, rest, found := strings.Cut(text, "_")
	if !found {
		c.fail(errors.New("a text in the record lacks the underscore after its first part"))
	}
	return beginning + "_" + base64.RawStdEncoding.EncodeToString([]byte(rest))
}
