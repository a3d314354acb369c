package matrix

import (
	"encoding/json"
	"errors"
	"io"

	"matrixrtc-auth/internal/outbound"
)

// maxMemberBytes bounds one entry in the list of members: a user id and a
// profile. A real entry is smaller, because an event has at most 64 KiB.
// maxMemberBytes also bounds everything in the answer that is not in this
// list, taken together.
const maxMemberBytes = 128 << 10

// badAnswer says that a 200 answer does not have the expected form.
type badAnswer struct {
	cause Cause
	why   string
}

func (e *badAnswer) Error() string { return e.why }

var (
	errNoMembers = &badAnswer{CauseNotJSON, `the answer is not {"joined": {…}}`}
	errNoUser    = &badAnswer{CauseNotJSON, "the answer holds no user id"}
	errHuge      = &badAnswer{CauseTooLarge, "the answer is larger than this service accepts"}
)

// readMembers calls see with each key of the object "joined". It keeps no
// members, so even a list of 100,000 members takes no memory. The parameter
// most is how many bytes it may read. If readMembers returns no error, it has
// read the whole answer.
func readMembers(body io.Reader, most int, see func(user string)) error {
	r := &sparing{from: body, all: most, left: maxMemberBytes}
	d := json.NewDecoder(r)
	found := false
	err := eachMember(d, r, func(name string) error {
		if name != "joined" {
			return pass(d)
		}
		if found {
			return errNoMembers
		}
		found = true
		return eachMember(d, r, func(user string) error {
			see(user)
			return pass(d)
		})
	})
	if err == nil && found {
		_, err = d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
	return badOr(err)
}

// badOr returns the error for an answer that could not be read. If the
// connection broke, badOr returns err itself. Otherwise it returns a *badAnswer
// that says what is wrong with the answer.
func badOr(err error) error {
	_, bad := errors.AsType[*badAnswer](err)
	_, syntax := errors.AsType[*json.SyntaxError](err)
	switch {
	case errors.Is(err, outbound.ErrTooLarge):
		return errHuge
	case err == nil, syntax && !bad:
		return errNoMembers
	}
	return err
}

// eachMember reads a JSON object. It calls the function do with the name of
// each member of the object. The function must read the member's value. For each
// member, d may read at most maxMemberBytes from r.
func eachMember(d *json.Decoder, r *sparing, do func(name string) error) error {
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return orNoMembers(err)
	}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return orNoMembers(err)
		}
		if err := do(name); err != nil {
			return err
		}
		r.left = maxMemberBytes
	}
	_, err := d.Token()
	return err
}

func orNoMembers(err error) error {
	if err == nil {
		return errNoMembers
	}
	return err
}

// pass reads one JSON value and ignores it.
func pass(d *json.Decoder) error {
	var ignored json.RawMessage
	return d.Decode(&ignored)
}

// sparing is a reader with two bounds in bytes. The field all is how much it
// may still read in total. The field left is how much it may still read until
// its user sets left again. So left bounds how much a decoder can buffer.
//
// After an error, each further read returns the same error, because a decoder
// sometimes ignores an error.
type sparing struct {
	from      io.Reader
	all, left int
	err       error
}

func (s *sparing) Read(p []byte) (n int, err error) {
	most := min(len(p), s.all, s.left)
	switch {
	case s.err != nil:
	case most == 0:
		s.err = errHuge
	default:
		n, s.err = s.from.Read(p[:most])
		s.all, s.left = s.all-n, s.left-n
	}
	return n, s.err
}

// readWhoAmI returns the user id in body, the answer to a whoami request.
func readWhoAmI(body io.Reader) (UserID, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxAppServiceBytes))
	if err != nil {
		return UserID{}, err
	}
	var answer struct {
		UserID string `json:"user_id"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return UserID{}, errNoUser
	}
	user, err := ParseUserID(answer.UserID)
	if err != nil {
		return UserID{}, errNoUser
	}
	return user, nil
}
