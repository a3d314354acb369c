package outbound

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Answer is the result of [Transport.Get].
type Answer struct {
	Status     int
	Body       []byte
	RetryAfter string // the value of the header Retry-After; "" if there is none
}

type getRequest struct {
	host, target  string
	authorization string // the line of the Authorization header; "" for none
	maxBody       int
}

// get makes one GET request. It parses a plain response directly in the buffer,
// and leaves any other response to net/http. Nearly all responses are plain.
// Parsing them directly saves 2 of the 60 µs of CPU time that a request for a
// token takes (BenchmarkRead). After get, the connection is idle or closed.
func (c *conn) get(ctx context.Context, r getRequest, answerTime time.Duration) (Answer, error) {
	stop := c.begin(ctx, answerTime)
	answer, keep, err := c.ask(ctx, r, answerTime)
	inTime := stop()
	if err == nil && keep && inTime && c.br.Buffered() == 0 {
		c.transport.pool().put(c)
	} else {
		c.Close()
	}
	if err != nil {
		return Answer{}, explain(ctx, err)
	}
	return answer, nil
}

func (c *conn) ask(ctx context.Context, r getRequest, answerTime time.Duration) (answer Answer, keep bool, err error) {
	for _, part := range []string{"GET ", r.target, " HTTP/1.1\r\nHost: ", r.host, r.authorization,
		"\r\nUser-Agent: " + UserAgent + "\r\nAccept: application/json\r\n\r\n"} {
		c.bw.WriteString(part) // if this write fails, Flush returns the error
	}
	if err := c.bw.Flush(); err != nil {
		return Answer{}, false, err
	}
	if err := c.await(); err != nil {
		return Answer{}, false, err
	}
	return c.read(ctx, r.maxBody, answerTime)
}

// read reads a response. Its first bytes are already in the buffer.
func (c *conn) read(ctx context.Context, maxBody int, answerTime time.Duration) (answer Answer, keep bool, err error) {
	buffered, _ := c.br.Peek(c.br.Buffered())
	head, ok := plainHead(buffered)
	if !ok || head.size+head.length > len(buffered) {
		if err := c.useOwnDeadline(ctx, answerTime); err != nil {
			return Answer{}, false, err
		}
	}
	if !ok || head.length > maxBody {
		return c.readAny(maxBody)
	}
	c.br.Discard(head.size)
	answer = Answer{Status: head.status, Body: make([]byte, head.length)}
	_, err = io.ReadFull(c.br, answer.Body)
	return answer, true, err
}

// readAny reads a response of any kind with net/http's parser.
func (c *conn) readAny(maxBody int) (answer Answer, keep bool, err error) {
	resp, err := c.readHead(nil)
	if err != nil {
		return Answer{}, false, err
	}
	// If the body is longer than maxBody, its remaining bytes are not read, and the
	// connection is closed.
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(maxBody)+1))
	switch {
	case err != nil:
		err = ownWords(err)
	case len(body) > maxBody:
		err = ErrTooLarge
	}
	answer = Answer{resp.StatusCode, body, resp.Header.Get("Retry-After")}
	return answer, !resp.Close && resp.ProtoAtLeast(1, 1), err
}

// plain holds what the head of a plain response says: the status, the length of
// the body, and the size of the head. plainHead says which responses are plain.
type plain struct{ status, length, size int }

// plainHead reads the head of a response at the start of b. ok is true only if the
// head is complete and plain. A head is plain if
//   - it has the version HTTP/1.1, a final status that allows a body, and one
//     Content-Length,
//   - it has no header about transfer codings, the connection or retries,
//   - it is not ambiguous.
func plainHead(b []byte) (head plain, ok bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return plain{}, false
	}
	line, rest, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	if head.status, ok = plainStatus(line); !ok {
		return plain{}, false
	}
	head.size, head.length = end+4, -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, found := bytes.Cut(line, []byte(":"))
		switch {
		case !found || !isToken(name) || hasControl(value):
			return plain{}, false
		case bytes.EqualFold(name, []byte("Content-Length")):
			if head.length >= 0 {
				return plain{}, false
			}
			if head.length, ok = plainNumber(bytes.Trim(value, " \t")); !ok {
				return plain{}, false
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")), bytes.EqualFold(name, []byte("Connection")),
			bytes.EqualFold(name, []byte("Retry-After")):
			return plain{}, false
		}
	}
	return head, head.length >= 0
}

// plainStatus returns the status in the first line of a response, like
// "HTTP/1.1 200 …".
func plainStatus(line []byte) (int, bool) {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 4 || rest[3] != ' ' || hasControl(rest) {
		return 0, false
	}
	status, ok := plainNumber(rest[:3])
	return status, ok && status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// plainNumber parses a number of at most seven digits.
func plainNumber(digits []byte) (int, bool) {
	if len(digits) == 0 || len(digits) > 7 || len(bytes.Trim(digits, "0123456789")) > 0 {
		return 0, false
	}
	n, err := strconv.Atoi(string(digits))
	return n, err == nil
}

// hasControl reports whether text has a control character other than a tab.
// net/http refuses most control characters, but accepts a line feed alone as the
// end of a line.
func hasControl(text []byte) bool {
	for _, b := range text {
		if b < ' ' && b != '\t' || b == 0x7f {
			return true
		}
	}
	return false
}

// isToken reports whether name consists of letters, digits and '-'. A response with
// any other header name is left to net/http.
func isToken(name []byte) bool {
	for _, b := range name {
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-') {
			return false
		}
	}
	return len(name) > 0
}
