package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/internal/text"
)

// origin is what a browser would say that the page is from.
const origin = "https://call.element.io"

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 10

// question is one HTTP request.
type question struct {
	method, url string
	body        string
	bearer      secret.Text
	header      http.Header
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// get asks as a page of another site would.
func (l *Look) get(ctx context.Context, address string) (reply, error) {
	return l.ask(ctx, question{method: http.MethodGet, url: address, header: http.Header{"Origin": {origin}}})
}

// ask sends q and reads the answer. Errors hold no secret.
func (l *Look) ask(ctx context.Context, q question) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		return reply{}, fmt.Errorf("%s is not the address of anything", clip(q.url))
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	if !q.bearer.IsEmpty() {
		req.Header.Set("Authorization", "Bearer "+q.bearer.Reveal())
	}
	req.Header.Set("User-Agent", outbound.UserAgent+"-doctor")
	resp, err := l.http().Do(req)
	if err != nil {
		return reply{}, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return reply{resp.StatusCode, resp.Header, body}.without(q.bearer), bare(err)
}

// without removes a secret that an answer sends back.
func (r reply) without(s secret.Text) reply {
	if s.IsEmpty() {
		return r
	}
	r.body = bytes.ReplaceAll(r.body, []byte(s.Reveal()), []byte(redacted))
	for _, values := range r.header {
		for i, value := range values {
			values[i] = strings.ReplaceAll(value, s.Reveal(), redacted)
		}
	}
	return r
}

// bare leaves the URL out, which may hold a token.
func bare(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}

// errcode is the Matrix error code of an answer, "" if it has none or what
// stands there does not look like one.
func (r reply) errcode() string {
	var matrix struct {
		ErrCode string `json:"errcode"`
	}
	_ = json.Unmarshal(r.body, &matrix)
	if rest, is := strings.CutPrefix(matrix.ErrCode, "M_"); !is || strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		return ""
	}
	return matrix.ErrCode
}

// isGatewayError reports whether a proxy says that it gets no answer itself.
func (r reply) isGatewayError() bool {
	switch r.status {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return r.status == http.StatusServiceUnavailable && !r.isMatrix()
}

// isMatrix reports whether a Matrix server or this service gave the answer,
// not a proxy.
func (r reply) isMatrix() bool { return r.errcode() != "" }

// String is the answer in a few words: the status, and what the body is.
func (r reply) String() string {
	text := fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	switch code := r.errcode(); {
	case code != "":
		return text + " " + clip(code)
	case r.status < 400 || len(bytes.TrimSpace(r.body)) == 0:
		return text
	}
	return text + ", a page of " + who(r)
}

// who names the program that made an error page, as far as it tells.
func who(r reply) string {
	if server := r.header.Get("Server"); server != "" {
		return clip(server)
	}
	return "something else"
}

// origins returns the values of Access-Control-Allow-Origin.
func (r reply) origins() []string { return r.header.Values("Access-Control-Allow-Origin") }

// clip is how a stranger's text is shown.
func clip(s string) string { return text.Clip(s, maxText) }

// maxText is in bytes.
const maxText = 200
