package matrixtest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
)

// testProxy tests that the homeserver forwards clients' requests to the
// application service.
func (c *Contract) testProxy(t *testing.T) {
	for _, prefix := range proxiedClient {
		t.Run(prefix, func(t *testing.T) {
			c.Application.Answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "*")
				writeJSON(w, http.StatusForbidden, matrixError("M_FORBIDDEN", "the service's own"))
			})
			status, header, body := c.send(t, http.MethodPost, prefix+"/get_token", c.LocalToken, `{"a":"ü"}`)
			if status != http.StatusForbidden || !strings.Contains(body, "the service's own") || len(header.Values("Access-Control-Allow-Origin")) != 1 {
				t.Errorf("the answer is %d %v %s, want the service's answer with one CORS header", status, header, body)
			}
			asked := c.Application.Asked("/get_token")
			if len(asked) != 1 {
				t.Fatalf("the service was asked %d times, want once", len(asked))
			}
			got := asked[0]
			if got.Path != prefix+"/get_token" || got.Body != `{"a":"ü"}` ||
				got.Header.Get("Authorization") != "Bearer "+c.HSToken || got.Header.Get("X-Matrix-User-Identifier") != c.Local.String() {
				t.Errorf("the service got another request than was sent: %+v", got)
			}
			if forwarded := got.Header.Get("X-Forwarded-For"); forwarded != "" {
				t.Errorf("the service got the header X-Forwarded-For: %s, want no such header", forwarded)
			}
		})
	}
	c.Application.Answer(nil)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead} {
		c.send(t, method, proxiedClient[0]+"/"+method, c.LocalToken, "")
		if n := len(c.Application.Asked("/" + method)); n != 1 {
			t.Errorf("%s arrived %d times, want once", method, n)
		}
	}
	if status, _, body := c.send(t, http.MethodOptions, proxiedClient[0]+"/preflight", "", ""); status/100 != 2 || len(c.Application.Asked("/preflight")) > 0 {
		t.Errorf("a preflight request: got %d %s, want the homeserver's own answer", status, body)
	}
	c.wantError(t, http.MethodPost, proxiedClient[0]+"/x", "", "{}", 401, "M_MISSING_TOKEN")
	c.wantError(t, http.MethodPost, proxiedClient[0]+"/x", "nobody-has-this-one", "{}", 401, "M_UNKNOWN_TOKEN")
	if n := len(c.Application.Asked("/x")); n > 0 {
		t.Errorf("the service got %d requests that the homeserver had to refuse, want none", n)
	}
}

// testAway tests what the homeserver answers to clients if the application
// service does not answer, or answers too late.
func (c *Contract) testAway(t *testing.T) {
	defer c.Application.Answer(nil)
	c.Application.Answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	c.wantError(t, http.MethodPost, proxiedClient[1]+"/get_token", c.LocalToken, "{}", 500, "M_UNKNOWN")
	c.Application.Answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	start := time.Now()
	c.wantError(t, http.MethodPost, proxiedClient[1]+"/get_token", c.LocalToken, "{}", 500, "M_UNKNOWN")
	if took := time.Since(start); took < c.AnswerTime || took > c.AnswerTime+10*time.Second {
		t.Errorf("the homeserver waited for %v, want %v", took, c.AnswerTime)
	}
}

// testOwn tests requests that the application service sends to the homeserver.
func (c *Contract) testOwn(t *testing.T) {
	t.Run("loop", func(t *testing.T) {
		c.Application.Answer(func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, map[string]string{"proof": "x"})
		})
		defer c.Application.Answer(nil)
		answer, err := c.API.Loop(t.Context(), "nonce")
		if err != nil || !strings.Contains(string(answer), `"proof"`) {
			t.Errorf("Loop() = %s, %v, want the service's answer", answer, err)
		}
		sender, err := c.API.WhoAmI(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked := c.Application.Asked("/self-test/nonce")
		if len(asked) != 1 || asked[0].Header.Get("X-Matrix-User-Identifier") != sender.String() {
			t.Errorf("the service got %+v, want one request of %s", asked, sender)
		}
	})
	t.Run("ping", func(t *testing.T) {
		c.Application.Answer(nil)
		if err := c.API.Ping(t.Context(), c.ID); err != nil {
			t.Errorf("Ping() = %v, want no error", err)
		}
		asked := c.Application.Asked("/_matrix/app/v1/ping")
		if len(asked) != 1 || asked[0].Header.Get("Authorization") != "Bearer "+c.HSToken {
			t.Errorf("the service got %+v, want one ping", asked)
		}
		c.wantError(t, http.MethodPost, appServicePath+c.ID+"/ping", c.LocalToken, "{}", 403, "M_FORBIDDEN")
	})
}

// testRemote asks another homeserver for a token, while that homeserver fails
// in several ways.
func (c *Contract) testRemote(t *testing.T) {
	defer c.RemoteApplication.Answer(nil)
	ask := func() (json.RawMessage, error) {
		return c.API.RemoteToken(t.Context(), c.Remote.Server(), json.RawMessage(`{"a":1}`))
	}
	answer := func(status int, body string) {
		c.RemoteApplication.Answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
	t.Run("answered", func(t *testing.T) {
		answer(http.StatusOK, `{"jwt":"x"}`)
		content, err := ask()
		if string(content) != `{"jwt":"x"}` && string(content) != `{"jwt": "x"}` || err != nil {
			t.Errorf("RemoteToken() = %s, %v, want the token and no error", content, err)
		}
		asked := c.RemoteApplication.Asked("/get_token")
		if len(asked) != 1 || asked[0].Path != proxiedFederation[0]+"/get_token" || asked[0].Header.Get("X-Matrix-Origin") != c.API.Server.String() {
			t.Errorf("the other service got %+v, want one request of %s", asked, c.API.Server)
		}
	})
	for _, tt := range []struct {
		name           string
		status, passed int
		body           string
		calls          int
	}{
		{"refused", 403, 403, `{"errcode":"M_FORBIDDEN"}`, 1},
		{"invalid", 400, 400, `{"errcode":"M_INVALID_PARAM"}`, 1},
		{"not there", 404, 404, `{"errcode":"M_UNRECOGNIZED"}`, 2}, // two requests, because the service tries the unstable and then the stable path
		{"limited", 429, 429, `{"errcode":"M_LIMIT_EXCEEDED"}`, 4},
		{"trouble", 502, 502, `{"errcode":"M_UNKNOWN"}`, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer(tt.status, tt.body)
			_, err := ask()
			e, ok := errors.AsType[*matrix.RemoteError](err)
			if n := len(c.RemoteApplication.Asked("/get_token")); !ok || e.Status != tt.passed || n != tt.calls {
				t.Errorf("RemoteToken: got %v after %d calls, want status %d after %d calls", err, n, tt.passed, tt.calls)
			}
		})
	}
	t.Run("not JSON", func(t *testing.T) {
		answer(http.StatusOK, "<html>")
		if content, err := ask(); err == nil {
			t.Errorf("RemoteToken() = %s, want an error", content)
		}
	})
}

// send makes one request to the Client-Server API, and returns the answer.
func (c *Contract) send(t *testing.T, method, path, token, body string) (status int, header http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.BaseURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}
