package matrix

import (
	"errors"
	"net/url"

	"matrixrtc-auth/internal/text"
)

// maxNote bounds how many bytes this service keeps or shows of a text that may
// contain a server's words.
const maxNote = 200

// note returns the text of err in a form that the service may keep: clipped,
// and without the URL that an [http.Client] puts before it. The service must
// not keep err itself, because err may hold a certificate, or a header of 80
// kB.
func note(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return text.Clip(err.Error(), maxNote)
}

// noted returns an error that the service may keep, because it holds only the
// clipped text of err.
func noted(err error) error { return errors.New(note(err)) }

// brief returns an error with the clipped text of err, which the service may
// show. The error wraps err, so the service must not keep it.
func brief(err error) error { return &briefError{note(err), err} }

type briefError struct {
	note string
	err  error
}

func (e *briefError) Error() string { return e.note }
func (e *briefError) Unwrap() error { return e.err }
