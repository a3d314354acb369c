package handler

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/semaphore"
)

// A client whose body is larger than maxBodyBytes gets 413 M_TOO_LARGE. Real
// clients send much smaller bodies.
//
// A usual body fits into smallBodyBytes, and every connection may hold one such
// body. Larger bodies could fill the memory of a small container. So this
// service holds only a bounded number of larger bodies at the same time
// (largeBodies). One client network may hold at most half of them. The other
// half is for networks that hold few.
const (
	maxBodyBytes   = 64 << 10
	smallBodyBytes = 2 << 10
)

// largeBodies bounds how many large bodies this service holds at the same time.
// A body is large if it has more than smallBodyBytes. If a request gets no
// permit within largeBodyWait, its client gets 429 M_LIMIT_EXCEEDED
// (bodyReader.acquire).
var largeBodies = semaphore.Bounds{Total: 64, Share: 8}

// buffers holds buffers that later requests can reuse. A buffer first holds the
// body, and then the answer. It has room for a small body, and for the read
// that finds the body's end. The service does not reuse a buffer that has grown
// larger.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, smallBufferBytes)) }}

const smallBufferBytes = smallBodyBytes + bytes.MinRead

func giveBack(buf *bytes.Buffer) {
	if buf.Cap() <= smallBufferBytes {
		buffers.Put(buf)
	}
}

// reply is the JSON document of an answer with the status 200.
type reply interface{ appendJSON([]byte) []byte }

// serveJSON returns the handler of a JSON endpoint. The handler reads the body
// within limits of size and time, and writes the result of call. call must not
// use the body after it returns.
func serveJSON[R reply](bodies *bodyReader, call func(ctx context.Context, x *exchange, body []byte) (R, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		buf := buffers.Get().(*bytes.Buffer)
		defer giveBack(buf)
		buf.Reset()
		release, err := bodies.read(w, r, buf)
		if err != nil {
			fail(w, r, err)
			return
		}
		defer release()
		answer, err := call(r.Context(), exchangeOf(w), buf.Bytes())
		if err != nil {
			fail(w, r, err)
			return
		}
		buf.Reset()
		writeJSON(w, http.StatusOK, answer.appendJSON(buf.AvailableBuffer()))
	}
}

// bodyReader reads the bodies of requests. It ignores the header Content-Type.
type bodyReader struct {
	large *semaphore.Keyed[netip.Prefix] // permits for large bodies, by the client's network
}

func newBodyReader() *bodyReader {
	return &bodyReader{large: semaphore.New[netip.Prefix](largeBodies)}
}

// read reads the whole body into buf. The caller must call release when it no
// longer needs the body. If the body does not arrive completely within bodyTime
// (package service), the error is errNotJSON, and the client gets 400
// M_NOT_JSON.
func (b *bodyReader) read(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer) (release func(), err error) {
	body := limitedBody(w, r)
	release = func() {}
	n, err := buf.ReadFrom(io.LimitReader(body, smallBodyBytes))
	if err == nil && n == smallBodyBytes {
		if release, err = b.acquire(r.Context(), access.Network(exchangeOf(w).client)); err == nil {
			makeRoom(buf, r.ContentLength)
			_, err = buf.ReadFrom(body)
		}
	}
	if err != nil {
		release()
		w.Header().Set("Connection", "close")
		return nil, bodyError(err)
	}
	// The body has arrived, so the deadline for reading ends here. The client
	// may have to wait longer for the answer. An error only means that the
	// writer has no deadlines.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return release, nil
}

// makeRoom gives buf the capacity for a body of length bytes. It does nothing
// if length is -1 (unknown) or more than maxBodyBytes. Without makeRoom, the
// buffer could grow to twice the size of the body.
func makeRoom(buf *bytes.Buffer, length int64) {
	if length < 0 || length > maxBodyBytes {
		return
	}
	larger := bytes.NewBuffer(make([]byte, 0, int(length)+bytes.MinRead))
	larger.Write(buf.Bytes())
	*buf = *larger
}

// limitedBody returns a reader of at most maxBodyBytes of the body. If the body
// is larger, net/http answers and then closes the connection. So even a client
// or proxy that is still sending gets the answer. To make net/http do so,
// limitedBody passes MaxBytesReader the ResponseWriter of net/http itself.
func limitedBody(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	return http.MaxBytesReader(exchangeOf(w).ResponseWriter, r.Body, maxBodyBytes)
}

// These times bound how long this service reads the body of a request that it
// refuses. promptTime is for a client that has too many requests in progress.
// discardTime is for all other clients.
const (
	discardTime = 2 * time.Second
	promptTime  = 100 * time.Millisecond
)

// discardBody reads the body of a refused request and ignores it, within limits
// of size and time. Without discardBody, the connection could close while the
// client is still sending. Then the client might never see the answer.
func discardBody(w http.ResponseWriter, r *http.Request) { discardWithin(w, r, discardTime) }

func discardWithin(w http.ResponseWriter, r *http.Request, within time.Duration) {
	if r.ContentLength == 0 {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within))
	if _, err := io.Copy(io.Discard, limitedBody(w, r)); err != nil {
		w.Header().Set("Connection", "close")
	}
}

// largeBodyWait is how long a request with a large body waits for a permit. It
// is less than the time that the server has to read a request.
const largeBodyWait = 5 * time.Second

// acquire waits for a permit to hold one large body. The parameter from is the
// client's network. If no permit is free in time, the error is a *limitError.
// The client then gets 429 with a Retry-After of 1 s.
func (b *bodyReader) acquire(ctx context.Context, from netip.Prefix) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, largeBodyWait)
	defer cancel()
	release, err = b.large.Acquire(ctx, from)
	if err != nil {
		return func() {}, &limitError{kind: "large_bodies", wait: time.Second}
	}
	return release, nil
}

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if _, ok := errors.AsType[*limitError](err); ok {
		return err
	}
	return errNotJSON
}

// JSON answers have these values in their headers. All answers share the
// slices, so no code may change them.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// writeJSON writes an answer whose body is the JSON document doc.
func writeJSON(w http.ResponseWriter, status int, doc []byte) {
	header := w.Header()
	header["Content-Type"] = typeJSON
	header["Cache-Control"] = noStore
	header["Content-Length"] = []string{strconv.Itoa(len(doc))}
	w.WriteHeader(status)
	_, _ = w.Write(doc) // an error means that the client has disconnected
}

// fail writes the answer for the error err, and records err for the log.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	x := exchangeOf(w)
	x.err, x.cause = err, p.cause
	p.setHeaders(w.Header())
	writeJSON(w, p.status, p.body())
	if p == canceled {
		x.status = statusCanceled
	}
}
