package matrix

import (
	"errors"
	"net/url"

	"matrixrtc-auth/internal/text"
)

// maxNote bounds, in bytes, every kept or shown text that a server wrote in
// part.
const maxNote = 200

// note returns the part of an error that may be kept: its clipped text, without
// the URL that an [http.Client] puts before it. The error itself may hold a
// certificate, or a header of 80 kB.
func note(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return text.Clip(err.Error(), maxNote)
}

// noted returns an error that may be kept. It has only the text of err.
func noted(err error) error { return errors.New(note(err)) }

// brief returns err with a text that may be shown. It wraps err, so it must not
// be kept.
func brief(err error) error { return &briefError{note(err), err} }

type briefError struct {
	note string
	err  error
}

func (e *briefError) Error() string { return e.note }
func (e *briefError) Unwrap() error { return e.err }
