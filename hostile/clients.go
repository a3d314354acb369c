//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// counts holds how often each kind of event happened.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[what]++
}

// crowd sends token requests for users of strangers' servers.
type crowd struct {
	trick    string
	names    int           // how many names of the trick to ask for, in turn; no other crowd uses these names
	once     bool          // ask for each name once, and stop
	workers  int           // how many requests run at once
	rate     int           // the most requests a second
	maxWait  time.Duration // the time after which a request is abandoned; 0 means that it waits for its answer
	networks int           // the number of client networks; 0 means a new one for each request
}

// abandonAfter is the time after which a client that does not wait abandons its
// request.
const abandonAfter = 100 * time.Millisecond

// network is the number of the client network that was used last, and used is
// the number of the name that was used last. Both go on counting for the whole
// run.
var network, used atomic.Int64

// send sends requests until ctx ends, and counts the answers in answers.
func (c crowd) send(ctx context.Context, answers *counts) {
	first := int(used.Add(int64(c.names))) - c.names
	var next atomic.Int64
	var wg sync.WaitGroup
	pace := time.NewTicker(time.Second / time.Duration(c.rate))
	defer pace.Stop()
	for range c.workers {
		wg.Go(func() {
			l := &connection{local: "127.0.0.1"}
			defer l.close()
			for {
				select {
				case <-pace.C:
				case <-ctx.Done():
					return
				}
				i := int(next.Add(1)) - 1
				if c.once && i >= c.names {
					return
				}
				from := int(network.Add(1))
				if c.networks > 0 {
					from %= c.networks
				}
				status, err := l.ask(ctx, tokenRequest(nameOf(c.trick, first+i%c.names), fmt.Sprint("t", i), forwarded(from)), c.maxWait)
				switch {
				case err == nil:
					answers.add(fmt.Sprint(status))
				case ctx.Err() == nil && c.maxWait > 0:
					answers.add("abandoned")
				case ctx.Err() == nil:
					answers.add("failed")
				}
			}
		})
	}
	wg.Wait()
}

// forwarded returns an address in the n-th client network, a /48 that has no
// other address.
func forwarded(n int) string { return fmt.Sprintf("2a00:%x:%x::1", n>>16&0xffff, n&0xffff) }

// tokenRequest returns a token request for a user of server, as a proxy
// forwards it for client.
func tokenRequest(server, token, client string) string {
	body := fmt.Sprintf(`{"room":"!room:%s","openid_token":{"access_token":"%s","matrix_server_name":"%s"},"device_id":"DEVICE"}`, server, token, server)
	return fmt.Sprintf("POST /sfu/get HTTP/1.1\r\nHost: service\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s", client, len(body), body)
}

// connection is a connection to the service. When it has ended, the next
// request opens a new one.
type connection struct {
	local   string
	conn    net.Conn
	answers *bufio.Reader
}

// ask sends a request and returns the status of the answer. maxWait, if not
// zero, bounds the wait.
func (l *connection) ask(ctx context.Context, request string, maxWait time.Duration) (status int, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.conn == nil {
		if err := l.dial(ctx); err != nil {
			return 0, err
		}
	}
	if maxWait == 0 {
		maxWait = 30 * time.Second
	}
	conn := l.conn
	conn.SetDeadline(time.Now().Add(maxWait))
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(l.answers, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.Close {
		l.close()
	}
	return resp.StatusCode, err
}

func (l *connection) dial(ctx context.Context) error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(l.local)}, Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", serviceAddress)
	if err != nil {
		return err
	}
	l.conn, l.answers = conn, bufio.NewReader(conn)
	return nil
}

func (l *connection) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// hold opens connections from a few addresses and sends text on each, until ctx
// ends. It replaces connections that were closed. reads says whether it reads
// answers.
func hold(ctx context.Context, connections int, text string, reads bool, held *counts) {
	const addresses = 8
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			l := &connection{local: fmt.Sprintf("127.9.0.%d", 1+i%addresses)}
			for ctx.Err() == nil {
				if l.dial(ctx) == nil {
					held.add("connections")
					occupy(ctx, l.conn, text, reads)
				}
				select { // the pause limits the CPU time that the attacker itself uses
				case <-time.After(500 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
}

// occupy sends text on a connection, and holds the connection until the service
// closes it. If reads is false, it cannot notice that, and holds the connection
// until ctx ends.
func occupy(ctx context.Context, conn net.Conn, text string, reads bool) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, text); err != nil {
		return
	}
	if reads {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	<-ctx.Done()
}
