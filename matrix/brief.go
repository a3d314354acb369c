package matrix

import (
	"errors"
	"net/url"

	"matrixrtc-auth/internal/text"
)

// maxNote bounds a text of which a server wrote part, in bytes, wherever it is
// kept or shown.
const maxNote = 200

// note is all that may be kept of an error: its text, clipped, without the URL
// that an [http.Client] puts before it. The error itself may hold a certificate,
// or a header of 80 kB.
func note(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return text.Clip(err.Error(), maxNote)
}

// noted is an error that may be kept, of which nothing is known but its text.
func noted(err error) error { return errors.New(note(err)) }

// brief is err with a text that may be shown. It holds err, so it must not be
// kept.
func brief(err error) error { return &briefError{note(err), err} }

type briefError struct {
	note string
	err  error
}

func (e *briefError) Error() string { return e.note }
func (e *briefError) Unwrap() error { return e.err }
