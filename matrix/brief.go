package matrix

import (
	"errors"
	"net/url"

	"matrixrtc-auth/internal/text"
)

// maxNote is how many bytes of an error's text this service keeps or shows. The
// text may quote a server's answer.
const maxNote = 200

// note returns the text of err in a form that the service may keep. It clips
// the text, and cuts off the URL that an [http.Client] writes at the start. The
// service must not keep err itself, because err may hold a certificate or a
// header of 80 kB.
func note(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return text.Clip(err.Error(), maxNote)
}

// noted returns an error that the service may keep, because it holds only the
// clipped text of err.
func noted(err error) error { return errors.New(note(err)) }

// brief returns an error with the clipped text of err. The service may show
// this text. But it must not keep the returned error, which wraps err and so
// may take much memory.
func brief(err error) error { return &briefError{note(err), err} }

type briefError struct {
	note string
	err  error
}

func (e *briefError) Error() string { return e.note }
func (e *briefError) Unwrap() error { return e.err }
