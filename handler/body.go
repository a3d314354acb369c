package handler

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxBodyBytes is many times what any client sends.
const maxBodyBytes = 64 << 10

// buffers hold a request's body and then the answer.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 2048)) }}

// reply is the document of a 200 answer.
type reply interface{ appendJSON([]byte) []byte }

// serveJSON is the one door for JSON: it bounds and reads the body, and writes
// what call makes of it. The body is valid until call returns.
func serveJSON[R reply](call func(ctx context.Context, body []byte) (R, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		buf := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(buf)
		buf.Reset()
		if err := readBody(w, r, buf); err != nil {
			fail(w, r, err)
			return
		}
		answer, err := call(r.Context(), buf.Bytes())
		if err != nil {
			fail(w, r, err)
			return
		}
		buf.Reset()
		writeJSON(w, http.StatusOK, answer.appendJSON(buf.AvailableBuffer()))
	}
}

// readBody reads all of the body, whatever its Content-Type says. One that
// does not arrive whole, or not in time, is not JSON.
func readBody(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer) error {
	if r.ContentLength > maxBodyBytes {
		w.Header().Set("Connection", "close") // rather than read what nobody wants
		return errTooLarge
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if err != nil {
		w.Header().Set("Connection", "close")
		return errNotJSON
	}
	// The server's time to read a request ends with the request: its client
	// may wait for the answer for longer. A writer without deadlines has none
	// to lift.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return nil
}

// The values of headers that are the same on every answer; nothing may write
// into them.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// writeJSON writes an answer at once.
func writeJSON(w http.ResponseWriter, status int, doc []byte) {
	header := w.Header()
	header["Content-Type"] = typeJSON
	header["Cache-Control"] = noStore
	header["Content-Length"] = []string{strconv.Itoa(len(doc))}
	w.WriteHeader(status)
	_, _ = w.Write(doc) // whoever should hear of a failure is gone
}

// fail answers with an error and leaves it to the log.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	x := exchangeOf(r.Context())
	x.err, x.cause = err, p.cause
	p.setHeaders(w.Header())
	writeJSON(w, p.status, p.body())
	if p == canceled {
		x.status = statusCanceled
	}
}
