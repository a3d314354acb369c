package connlimit

import (
	"bytes"
	"io"
	"strconv"
	"time"
)

// errorHeaders are the headers in each answer that net/http itself gives to a
// request that it cannot read.
var errorHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// ownStatus returns the status if p is an answer that net/http itself gives,
// and 0 if p is an answer of the handler. Only net/http's own answers have
// errorHeaders, or the status 417 (for an unknown Expect header).
func ownStatus(p []byte) int {
	const begin = "HTTP/1.1 "
	if len(p) < len(begin)+4 || string(p[:len(begin)]) != begin || p[len(begin)] < '4' {
		return 0
	}
	status, err := strconv.Atoi(string(p[len(begin) : len(begin)+3]))
	if err != nil || status != 417 && !bytes.Contains(p, errorHeaders) {
		return 0
	}
	return status
}

// These constants limit what a client may still send after the answer to a request
// that cannot be read. If the server closed the connection while the client is
// still sending, the client might not get the answer.
const (
	lingerBytes = 256 << 10
	lingerTime  = 500 * time.Millisecond
)

// answer answers a request with status, without the handler. It is for a request
// that net/http cannot read, or that the Listener refuses before net/http has read
// it.
func (c *conn) answer(status int) {
	if c.listener.options.Answer != nil {
		_, err := c.Conn.Write(c.listener.options.Answer(status, c.RemoteAddr()))
		if err != nil {
			return
		}
	}
	c.linger()
}

// linger tells the client that the answer is complete. Then it reads and drops what
// the client still sends, up to lingerBytes and lingerTime.
func (c *conn) linger() {
	if err := c.CloseWrite(); err != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
}
