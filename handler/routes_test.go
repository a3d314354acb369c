package handler

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func do(t testing.TB, method, url, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // unlike http.Client, RoundTrip follows no redirects
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func wantCORS(t *testing.T, what string, h http.Header, methods string) {
	t.Helper()
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":  "*",
		"Access-Control-Allow-Methods": methods,
		"Access-Control-Allow-Headers": "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s = %q, want exactly %q", what, name, got, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	r := newRig()
	url := r.listen(t)
	good, member := sfuGetBody("@alice:"+homeserver), getTokenBody("@alice:"+homeserver)
	for _, c := range []struct {
		method, path, body string
		status             int
		errcode, allow     string
	}{
		{"POST", "/sfu/get", good, 200, "", ""},
		{"POST", "/", good, 200, "", ""},
		{"POST", "/get_token", member, 200, "", ""},
		{"POST", "//sfu/get", good, 200, "", ""},
		{"POST", "///sfu///get//", good, 200, "", ""},
		{"POST", "/sfu/get/", good, 200, "", ""},
		{"POST", "//", good, 200, "", ""},
		{"POST", "/sfu/get?x=1", good, 200, "", ""},
		{"GET", "/healthz", "", 200, "", ""},
		{"HEAD", "/healthz", "", 200, "", ""},
		{"GET", "//healthz/", "", 200, "", ""},

		{"GET", "/sfu/get", "", 405, "M_UNRECOGNIZED", "POST"},
		{"HEAD", "/sfu/get", "", 405, "M_UNRECOGNIZED", "POST"},
		{"PUT", "/get_token", member, 405, "M_UNRECOGNIZED", "POST"},
		{"DELETE", "//get_token/", "", 405, "M_UNRECOGNIZED", "POST"},
		{"PROPFIND", "/get_token", "", 405, "M_UNRECOGNIZED", "POST"},
		{"GET", "/", "", 405, "M_UNRECOGNIZED", "POST"},
		{"POST", "/healthz", "{}", 405, "M_UNRECOGNIZED", "GET, HEAD"},
		{"DELETE", "/healthz", "", 405, "M_UNRECOGNIZED", "GET, HEAD"},

		{"POST", "/delegate_delayed_leave", "", 404, "M_UNRECOGNIZED", ""},
		{"GET", "/delegate_delayed_leave", "", 404, "M_UNRECOGNIZED", ""},
		{"POST", "/delegate_delayed_leave", member, 404, "M_UNRECOGNIZED", ""},
		{"GET", "/nope", "", 404, "M_UNRECOGNIZED", ""},
		{"PROPFIND", "/nope", "", 404, "M_UNRECOGNIZED", ""},
		{"POST", "/sfu/get/more", good, 404, "M_UNRECOGNIZED", ""},
		{"POST", "/SFU/GET", good, 404, "M_UNRECOGNIZED", ""},
		{"POST", "/sfu%2Fget", good, 404, "M_UNRECOGNIZED", ""},
		{"POST", "/sfu/../get_token", member, 404, "M_UNRECOGNIZED", ""},
		{"POST", "/sfu_webhook", "", 401, "M_UNAUTHORIZED", ""},
		{"GET", "/sfu_webhook", "", 405, "M_UNRECOGNIZED", "POST"},
		{"GET", "/_status", "", 404, "M_UNRECOGNIZED", ""},
		{"POST", "/_status", "", 404, "M_UNRECOGNIZED", ""},

		{"POST", "/sfu/get", "{", 400, "M_NOT_JSON", ""},
		{"POST", "/sfu/get", "{}", 400, "M_BAD_JSON", ""},
		{"POST", "/sfu/get", badTokenBody(homeserver), 401, "M_UNAUTHORIZED", ""},
		{"POST", "/sfu/get", strings.Repeat(" ", maxBodyBytes+1), 413, "M_TOO_LARGE", ""},
	} {
		t.Run(c.method, func(t *testing.T) {
			what := c.method + " " + c.path
			resp := do(t, c.method, url+c.path, c.body)
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status {
				t.Errorf("%s: %d %s, want %d", what, resp.StatusCode, body, c.status)
			}
			methods := "POST"
			if strings.Contains(c.path, "healthz") {
				methods = "GET"
			}
			wantCORS(t, what, resp.Header, methods)
			if got := resp.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("%s: Content-Type: got %q, want application/json", what, got)
			}
			if got := resp.Header.Get("Allow"); got != c.allow {
				t.Errorf("%s: Allow = %q, want %q", what, got, c.allow)
			}
			if c.method == "HEAD" && len(body) > 0 {
				t.Errorf("%s: got the body %q, want none", what, body)
			}
			if c.errcode != "" && c.method != "HEAD" && !strings.HasPrefix(string(body), `{"errcode":"`+c.errcode+`","error":"`) {
				t.Errorf("%s: %s, want errcode %s", what, body, c.errcode)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	url := newRig().listen(t)
	for _, path := range []string{"/", "/sfu/get", "//sfu/get/", "/get_token", "/delegate_delayed_leave", "/nope", "/healthz"} {
		t.Run(path, func(t *testing.T) {
			resp := do(t, "OPTIONS", url+path, "")
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != 200 || len(body) > 0 {
				t.Errorf("OPTIONS %s: %d %q, want an empty 200", path, resp.StatusCode, body)
			}
			methods := "POST"
			if path == "/healthz" {
				methods = "GET"
			}
			wantCORS(t, "OPTIONS "+path, resp.Header, methods)
		})
	}
}

func TestOptionsStar(t *testing.T) {
	url := newRig().listen(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("OPTIONS *: got %d, want 200", resp.StatusCode)
	}
	wantCORS(t, "OPTIONS *", resp.Header, "POST")
}

func TestHealth(t *testing.T) {
	r := newRig()
	w := r.serve("GET", "/healthz", "")
	if got, want := w.Body.String(), `{"status":"ok","version":"1.2.3"}`; w.Code != 200 || got != want {
		t.Errorf("healthz: %d %s, want %s", w.Code, got, want)
	}
	if got := w.Header().Get("Content-Length"); got != "33" {
		t.Errorf("Content-Length: got %q, want 33", got)
	}
}

func TestDraining(t *testing.T) {
	r := newRig()
	r.Routes()
	r.Drain()
	for request, want := range map[string]int{
		"GET /healthz": 503, "HEAD /healthz": 503, "POST /sfu/get": 200, "POST /": 200, "GET /sfu/get": 405, "OPTIONS /sfu/get": 200,
		"POST /delegate_delayed_leave": 404,
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			w := r.serve(method, path, sfuGetBody("@alice:"+homeserver))
			if w.Code != want {
				t.Errorf("%s: %d %s, want %d", request, w.Code, w.Body, want)
			}
			if w.Header().Get("Connection") != "close" && method != "OPTIONS" { // the answer to a preflight request may keep its connection
				t.Errorf("%s: got Connection %q, want close", request, w.Header().Get("Connection"))
			}
			wantCORS(t, request, w.Header(), map[bool]string{true: "GET", false: "POST"}[path == "/healthz"])
		})
	}
}

// TestEndOfTheWait checks a request that is still in progress when the service
// can wait no longer, because it shuts down. The request must get 503.
func TestEndOfTheWait(t *testing.T) {
	r := newRig()
	ctx, end := context.WithCancelCause(context.Background())
	r.verifier.before = func(ctx context.Context) error {
		end(ErrShuttingDown)
		return ctx.Err()
	}
	if w := r.serveContext(ctx, "POST", "/sfu/get", sfuGetBody("@alice:"+homeserver)); w.Code != 503 {
		t.Errorf("%d %s, want 503", w.Code, w.Body)
	}
}
