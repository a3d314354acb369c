package instruments

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/internal/timing"
)

// Origin is the value of the header Origin in doctor's requests, as a browser
// sends it.
const Origin = "https://call.element.io"

// maxAnswer bounds how many bytes of an answer doctor reads.
const maxAnswer = 256 << 10

// Question is one HTTP request.
type Question struct {
	Method, URL string
	Body        string
	Bearer      secret.Text
	Header      http.Header
}

// Reply is the answer to a Question.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	// Before is the status of the first answer, if doctor repeated the request
	// because that answer was bad; else 0.
	Before int
}

// Get sends a GET request with the header Origin, as a browser does for a page
// of another site.
func (n *Network) Get(ctx context.Context, address string) (Reply, error) {
	return n.Ask(ctx, Question{Method: http.MethodGet, URL: address, Header: http.Header{"Origin": {Origin}}})
}

// secondTry is the pause before doctor repeats a request that a proxy could not
// forward. Perhaps the server behind the proxy is just starting, or the second
// request reaches another server.
const secondTry = 500 * time.Millisecond

// Ask sends q and reads the answer. If a proxy answers that the server behind
// it does not answer, Ask sends q once more. Its errors hold no secret.
func (n *Network) Ask(ctx context.Context, q Question) (Reply, error) {
	first, err := n.askOnce(ctx, q)
	if err != nil || first.Passing() != NotThere {
		return first, err
	}
	if !timing.Sleep(ctx, secondTry) {
		return first, nil
	}
	second, err := n.askOnce(ctx, q)
	if err != nil {
		return first, nil
	}
	second.Before = first.Status
	return second, nil
}

func (n *Network) askOnce(ctx context.Context, q Question) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, q.Method, q.URL, strings.NewReader(q.Body))
	if err != nil {
		return Reply{}, fmt.Errorf("%s is not a valid URL", Clip(q.URL))
	}
	for name, values := range q.Header {
		req.Header[name] = values
	}
	if !q.Bearer.IsEmpty() {
		req.Header.Set("Authorization", "Bearer "+q.Bearer.Reveal())
	}
	req.Header.Set("User-Agent", outbound.UserAgent+"-doctor")
	asked := time.Now()
	resp, err := n.client.Do(req)
	if err != nil {
		return Reply{}, bare(err)
	}
	defer resp.Body.Close()
	n.clocks.note(cmp.Or(n.route, req.URL.Host), resp.Header, asked, time.Now())
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return Reply{Status: resp.StatusCode, Header: resp.Header}, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: body}.without(q.Bearer), bare(err)
}

// AskAt sends a GET request to host, over a route that discovery found. target
// is the path and query of the request.
func (n *Network) AskAt(ctx context.Context, route outbound.Route, host, target string, insecure bool) (Reply, error) {
	at := n.Through(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return n.DialHost(ctx, network, route.Addr)
	})
	at.route = route.Addr
	transport := at.client.Transport.(*http.Transport)
	transport.TLSClientConfig = n.TLS(route.TLSName)
	transport.TLSClientConfig.InsecureSkipVerify = insecure // true only if the operator switched the verification off for the service, too
	return at.Get(ctx, route.Scheme+"://"+host+target)
}

// without removes the secret s from the texts of r, because the answer may
// repeat the request's secret.
func (r Reply) without(s secret.Text) Reply {
	if s.IsEmpty() {
		return r
	}
	r.Body = bytes.ReplaceAll(r.Body, []byte(s.Reveal()), []byte(redacted))
	for _, values := range r.Header {
		for i, value := range values {
			values[i] = strings.ReplaceAll(value, s.Reveal(), redacted)
		}
	}
	return r
}

// bare returns err without the URL, which may hold a token.
func bare(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}

// ErrCode returns the Matrix error code in an answer. It returns "" if there is
// none, or if the text does not have the form of an error code.
func (r Reply) ErrCode() string {
	var matrix struct {
		ErrCode string `json:"errcode"`
	}
	_ = json.Unmarshal(r.Body, &matrix)
	if !isErrCode(matrix.ErrCode) {
		return ""
	}
	return matrix.ErrCode
}

// isErrCode reports whether code has the form of a Matrix error code
// (Client-Server API, "Standard error response"). Examples are M_NOT_FOUND, and
// ORG.MATRIX.MSC4140_DELAY_TOO_LARGE with the prefix of a proposal.
func isErrCode(code string) bool {
	space, rest, _ := strings.Cut(code, "_")
	return rest != "" && (space == "M" || strings.Contains(space, ".")) && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._") == ""
}

// String describes the answer in a few words: the status, and the Matrix error
// code or the program that sent the page.
func (r Reply) String() string {
	text := fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	switch code := r.ErrCode(); {
	case code != "":
		return text + " " + Clip(code)
	case r.Status < 400 || len(bytes.TrimSpace(r.Body)) == 0:
		return text
	}
	return text + ", a page of " + r.server("something else")
}

// Origins returns the values of Access-Control-Allow-Origin.
func (r Reply) Origins() []string { return r.Header.Values("Access-Control-Allow-Origin") }

// OneOrigin reports whether the answer has exactly one CORS header, and whether
// this header allows pages of every site to read the answer.
func (r Reply) OneOrigin() bool {
	list := r.Origins()
	return len(list) == 1 && (list[0] == "*" || list[0] == Origin)
}

// Follow sends a GET request and follows up to three redirects, as browsers do.
// A browser lets a page read the last answer only if the CORS headers of all
// redirects allow it. closed is the address of the first redirect whose headers
// do not allow it; "" if all do.
func (n *Network) Follow(ctx context.Context, address string) (r Reply, closed string, err error) {
	for range 4 {
		r, err = n.Get(ctx, address)
		if err != nil || r.Status/100 != 3 {
			return r, closed, err
		}
		if closed == "" && !r.OneOrigin() {
			closed = address
		}
		from, _ := url.Parse(address)
		to, bad := from.Parse(r.Header.Get("Location"))
		if bad != nil {
			return r, closed, nil
		}
		address = to.String()
	}
	return r, closed, nil
}
