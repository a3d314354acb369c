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

// counts counts events by their kind. The key in the map is the name of the
// kind.
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

// crowd sends token requests for users of homeservers that the operator has not
// named.
type crowd struct {
	trick string
	// names is the number of server names to use. The crowd takes these names in
	// turn. The servers with these names misbehave as trick says. No other crowd
	// uses these names.
	names    int
	once     bool          // use each name once, and then stop
	workers  int           // the number of requests at the same time
	rate     int           // the maximal number of requests per second
	maxWait  time.Duration // the client abandons a request after this time; 0 means that it waits up to 30 s
	networks int           // the number of client networks to use; 0 means a new network for each request
}

// abandonAfter is the time after which an impatient client abandons its
// request.
const abandonAfter = 100 * time.Millisecond

// network counts the client networks that the attacks have used so far, and used
// counts the server names that they have used. All attacks of a run share these
// two counters.
var network, used atomic.Int64

// send sends requests until ctx ends. If c.once is true, send also ends after
// it has used every name. The parameter answers counts the answers by their
// status, and the failures.
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

// forwarded returns an address in the n-th client network. Every network is a
// different /48.
func forwarded(n int) string { return fmt.Sprintf("2a00:%x:%x::1", n>>16&0xffff, n&0xffff) }

// tokenRequest returns an HTTP request for a token. The request looks as if a
// proxy had forwarded it. server is the name of the user's homeserver, and
// client is the client's address.
func tokenRequest(server, token, client string) string {
	body := fmt.Sprintf(`{"room":"!room:%s","openid_token":{"access_token":"%s","matrix_server_name":"%s"},"device_id":"DEVICE"}`, server, token, server)
	return fmt.Sprintf("POST /sfu/get HTTP/1.1\r\nHost: service\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s", client, len(body), body)
}

// connection sends requests over one connection to the service. If the
// connection has ended, the next request opens a new one.
type connection struct {
	local   string
	conn    net.Conn
	answers *bufio.Reader
}

// ask sends a request and returns the status of the answer. It waits at most
// maxWait. If maxWait is 0, it waits at most 30 s.
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

// hold opens connections from eight client addresses, and sends text on each
// connection. Until ctx ends, hold replaces each connection that the service
// closes. If reads is true, hold also reads the answers.
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
				select { // without this pause, the attacker itself would use too much CPU time
				case <-time.After(500 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
}

// occupy sends text on a connection, and keeps the connection open until the
// service closes it or ctx ends. If reads is false, occupy does not notice that
// the service has closed the connection.
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
