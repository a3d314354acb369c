package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const testServer = "127.0.0.1:4711"

// parsed parses a generated request with net/http, and returns it with its
// body.
func parsed(t *testing.T, text []byte) (*http.Request, string) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

func TestNumbered(t *testing.T) {
	r := mix(testServer, false)[0]
	for n, want := range map[int][3]string{
		7:         {"ok-000000000007", "@u0007:" + testServer, "2001:db8:0:0007::1"},
		123456789: {"ok-000123456789", "@u6789:" + testServer, "2001:db8:0:6789::1"},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			request, text := parsed(t, r.numbered(n))
			var body tokenBody
			if err := json.Unmarshal([]byte(text), &body); err != nil {
				t.Fatal(err)
			}
			got := [3]string{body.OpenIDToken.AccessToken, body.Member.User, request.Header.Get("X-Forwarded-For")}
			if got != want {
				t.Errorf("request %d has %q, want %q", n, got, want)
			}
		})
	}
}

func TestMix(t *testing.T) {
	if got := len(mix(testServer, false)); got != 1 {
		t.Fatalf("got %d valid requests, want 1", got)
	}
	statuses := map[string]int{}
	requests := mix(testServer, true)
	for n := range 600 {
		statuses[pick(requests, n).status]++
	}
	if statuses["200"] != 300 || statuses["401"] != 200 || statuses["400"] != 100 {
		t.Errorf("the requests expect the statuses %v, want half 200, a third 401, a sixth 400", statuses)
	}
	if _, body := parsed(t, requests[3].numbered(1)); json.Valid([]byte(body)) {
		t.Errorf("the broken body: got %s, want no JSON", body)
	}
}

func TestHomeserverAnswers(t *testing.T) {
	a := newAnswers(testServer)
	for token, want := range map[string]string{
		"ok-000000000042":  `200 {"sub":"@u0042:` + testServer + `"}`,
		"ok-000123456789":  `200 {"sub":"@u6789:` + testServer + `"}`,
		"ok-42":            "401 " + unknownToken,
		"bad-000123456789": "401 " + unknownToken,
	} {
		t.Run(token, func(t *testing.T) {
			request := userinfoPath + "access_token=" + token + " HTTP/1.1\r\nHost: x\r\n\r\n"
			if token == "ok-42" {
				request = userinfoPath + "access_token=" + token
			}
			if got := statusAndBody(t, a.to([]byte(request))); got != want {
				t.Errorf("%s: %s, want %s", token, got, want)
			}
		})
	}
	if got := statusAndBody(t, a.to([]byte("GET / HTTP/1.1\r\n\r\n"))); !strings.HasPrefix(got, "404 ") {
		t.Errorf("another path: got %s, want 404", got)
	}
}

func statusAndBody(t *testing.T, answer []byte) string {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(r.Status)[0] + " " + string(body)
}

func TestResponseLength(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"
	for text, want := range map[string]int{
		"": 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n": 0, whole[:len(whole)-3]: len(whole), whole: len(whole),
	} {
		t.Run(fmt.Sprintf("%d bytes", len(text)), func(t *testing.T) {
			if got, err := responseLength([]byte(text)); err != nil || got != want {
				t.Errorf("responseLength(%q) = %d, %v, want %d", text, got, err, want)
			}
		})
	}
	for _, bad := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"} {
		t.Run(fmt.Sprintf("%q", bad), func(t *testing.T) {
			if _, err := responseLength([]byte(bad)); err == nil {
				t.Errorf("responseLength(%q): got no error, want one", bad)
			}
		})
	}
}

func TestCheckResponse(t *testing.T) {
	for _, test := range []struct {
		answer, status string
		right          bool
	}{
		{`HTTP/1.1 200 OK` + "\r\n\r\n" + `{"url":"ws://x","jwt":"eyJh"}`, "200", true},
		{`HTTP/1.1 200 OK` + "\r\n\r\n" + `{}`, "200", false},
		{"HTTP/1.1 401 Unauthorized\r\n\r\n", "401", true},
		{"HTTP/1.1 429 Too Many Requests\r\n\r\n", "200", false},
		{"nonsense", "200", false},
	} {
		t.Run(fmt.Sprintf("%q", test.answer), func(t *testing.T) {
			if problem := checkResponse([]byte(test.answer), test.status); (problem == "") != test.right {
				t.Errorf("checkResponse(%q, %s): got the problem %q, want none: %v", test.answer, test.status, problem, test.right)
			}
		})
	}
}
