package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/rogpeppe/go-internal/testscript"
)

// The script command `http [&] METHOD PATH [-H 'Name: value']... [-chunked]
// [FILE]` sends a request to the service. It prints the answer's status, its
// headers sorted by name, and its body.
//
// The request's body is the text of FILE, in which variables like $VAR are
// replaced. With -chunked, the request does not announce the length of its
// body. With &, the command does not wait. Then the command `answer` prints the
// answer later.
func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	l := labOf(ts)
	background := len(args) > 0 && args[0] == "&"
	if background {
		args = args[1:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http [&] METHOD PATH [-H 'Name: value']... [-chunked] [FILE]")
	}
	req := newRequest(ts, args)
	if background {
		l.pending = make(chan answer, 1)
		go func() { l.pending <- ask(l.service.address, req) }()
		return
	}
	l.show(ts, ask(l.service.address, req))
}

// The script command `answer` prints the answer to the last `http &`.
func cmdAnswer(ts *testscript.TestScript, neg bool, args []string) {
	l := labOf(ts)
	if neg || len(args) > 0 || l.pending == nil {
		ts.Fatalf("usage: answer, after http &")
	}
	l.show(ts, <-l.pending)
}

// request is an HTTP request as text.
type request struct{ method, text string }

func newRequest(ts *testscript.TestScript, args []string) request {
	method, path, args := args[0], args[1], args[2:]
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n", method, path)
	for len(args) > 1 && args[0] == "-H" {
		fmt.Fprintf(&b, "%s\r\n", args[1])
		args = args[2:]
	}
	chunked := len(args) > 0 && args[0] == "-chunked"
	if chunked {
		args = args[1:]
	}
	var body string
	if len(args) > 0 {
		body = os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	}
	if chunked {
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	} else {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	}
	return request{method, b.String()}
}

// answer is the service's answer to one request.
type answer struct {
	text string // status, headers and body
	body string
	err  error
}

// ask sends req over a new connection, and returns the answer.
func ask(address string, req request) answer {
	conn, err := dial(address)
	if err != nil {
		return answer{err: err}
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, req.text); err != nil {
		return answer{err: err}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: req.method})
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{text: format(resp, body), body: string(body), err: err}
}

func dial(address string) (net.Conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(waitTime))
}

func format(resp *http.Response, body []byte) string {
	var lines []string
	for name, values := range resp.Header {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s\n%s\n\n%s\n", resp.Status, strings.Join(lines, "\n"), body)
}

func (l *lab) show(ts *testscript.TestScript, a answer) {
	ts.Check(a.err)
	l.last = a
	io.WriteString(ts.Stdout(), a.text)
}

// The script command `repeat N METHOD PATH ...` sends a request N times. It
// prints each status, and how many answers had it.
func cmdRepeat(ts *testscript.TestScript, neg bool, args []string) {
	var n int
	if len(args) < 3 || neg {
		ts.Fatalf("usage: repeat N METHOD PATH [-H 'Name: value']... [-chunked] [FILE]")
	}
	_, err := fmt.Sscan(args[0], &n)
	ts.Check(err)
	counts := map[string]int{}
	for range n {
		a := ask(labOf(ts).service.address, newRequest(ts, args[1:]))
		ts.Check(a.err)
		status, _, _ := strings.Cut(a.text, "\n")
		counts[status]++
	}
	for status, count := range counts {
		fmt.Fprintf(ts.Stdout(), "%d times %s\n", count, status)
	}
}

// The script command `raw FILE` sends the content of FILE to the service, with
// CRLF as line ends. It prints everything that the service answers.
func cmdRaw(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: raw FILE")
	}
	conn, err := dial(labOf(ts).service.address)
	ts.Check(err)
	defer conn.Close()
	_, err = io.WriteString(conn, strings.ReplaceAll(ts.ReadFile(args[0]), "\n", "\r\n"))
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), conn)
	ts.Check(err)
}

// The script command `jwt` verifies the access token in the last answer as
// LiveKit does. It prints the token's claims and sets JWT to the token.
func cmdJWT(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: jwt")
	}
	_, after, found := strings.Cut(labOf(ts).last.body, `"jwt":"`)
	text, _, _ := strings.Cut(after, `"`)
	if !found {
		ts.Fatalf("the last answer has no token")
	}
	parsed, err := auth.ParseAPIToken(text)
	ts.Check(err)
	key := scriptKey
	if parsed.APIKey() == secondKey.ID {
		key = secondKey
	}
	_, _, err = parsed.Verify(key.Secret.Reveal())
	ts.Check(err)
	ts.Setenv("JWT", text)
	fmt.Fprintln(ts.Stdout(), claims(ts, text))
}

// The script command `metrics` prints the service's metrics as Prometheus gets
// them.
func cmdMetrics(ts *testscript.TestScript, neg bool, args []string) {
	at, found := labOf(ts).service.await(regexp.MustCompile(`msg="serving metrics" address=(\S+)`))
	if neg || len(args) > 0 || !found {
		ts.Fatalf("usage: metrics, with LIVEKIT_METRICS_BIND set")
	}
	a := ask(at[1], newRequest(ts, []string{"GET", "/metrics"}))
	ts.Check(a.err)
	io.WriteString(ts.Stdout(), a.text)
}
