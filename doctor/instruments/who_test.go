package instruments

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded reads a recorded answer from testdata. The file SOURCES says where
// each answer is from.
func recorded(t *testing.T, name string) Reply {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// TestFromRecorded checks that From and Passing recognize the recorded answers
// of proxies and filters, and of the programs behind them.
func TestFromRecorded(t *testing.T) {
	for name, want := range map[string]struct {
		party   Party
		program string
		passing Passing
	}{
		"nginx-400": {Proxy, "nginx", Uncertified},
		"nginx-401": {Login, "nginx/1.22.1", Answered},
		"nginx-403": {Proxy, "nginx", Refused},
		"nginx-404": {Proxy, "nginx", NoRoute},
		"nginx-413": {Proxy, "nginx", TooLarge},
		"nginx-429": {Proxy, "nginx", Limited},
		"nginx-502": {Proxy, "nginx", NotThere},
		"nginx-503": {Proxy, "nginx", Limited},
		"nginx-504": {Proxy, "nginx", NotThere},

		"caddy-401": {Login, "Caddy", Answered},
		"caddy-403": {Proxy, "Caddy", Refused},
		"caddy-404": {Proxy, "Caddy", NoRoute},
		"caddy-502": {Proxy, "Caddy", NotThere},

		"haproxy-401": {Login, "the proxy", Answered},
		"haproxy-403": {Proxy, "HAProxy", Refused},
		"haproxy-429": {Proxy, "HAProxy", Limited},
		"haproxy-503": {Proxy, "HAProxy", NotThere},
		"haproxy-504": {Proxy, "HAProxy", NotThere},

		"traefik-502": {Proxy, "Traefik", NotThere},
		"traefik-503": {Proxy, "Traefik", NotThere},

		"dsm-200": {Website, "nginx", Answered},
		"dsm-403": {Proxy, "DSM", Refused},
		"dsm-404": {Proxy, "DSM", NoRoute},
		"dsm-502": {Proxy, "DSM", NotThere},
		"dsm-504": {Proxy, "DSM", NotThere},

		"cloudflare-challenge": {Challenge, "Cloudflare", Answered},
		"cloudflare-1020":      {Proxy, "Cloudflare", Refused},
	} {
		t.Run(name, func(t *testing.T) {
			r := recorded(t, name)
			if who := r.From(); who.Party != want.party || who.Program != want.program {
				t.Errorf("from %+v, want %+v", who, want)
			}
			if got := r.Passing(); got != want.passing {
				t.Errorf("passing %v, want %v", got, want.passing)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) != 27 {
		t.Errorf("got %d recorded answers, %v, want 27, all of them in the table", len(files), err)
	}
}

// TestFrom checks that From recognizes which program gave an answer, whatever
// proxy is in front of it.
func TestFrom(t *testing.T) {
	answer := func(status int, kind, body string, headers ...string) Reply {
		r := Reply{Status: status, Header: http.Header{"Content-Type": {kind}}, Body: []byte(body)}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		return r
	}
	const ours = "Access-Control-Allow-Headers: Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization"
	for name, test := range map[string]struct {
		reply Reply
		want  Party
	}{
		"this service":                       {answer(401, "application/json", `{"errcode":"M_UNAUTHORIZED"}`, ours), Service},
		"this service behind nginx":          {answer(400, "application/json", `{"errcode":"M_NOT_JSON"}`, ours, "Server: nginx"), Service},
		"Synapse":                            {answer(401, "application/json", `{"errcode":"M_UNKNOWN_TOKEN"}`, "Server: Synapse/1.163.2"), Homeserver},
		"a homeserver that limits":           {answer(429, "application/json", `{"errcode":"M_LIMIT_EXCEEDED"}`, "Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization"), Homeserver},
		"a Matrix server that shuts down":    {answer(503, "application/json", `{"errcode":"M_UNKNOWN"}`), Matrix},
		"LiveKit's root":                     {answer(200, "text/plain", "OK"), LiveKit},
		"LiveKit without a key":              {answer(401, "text/plain; charset=utf-8", "invalid API key: a, token: b"), LiveKit},
		"LiveKit without the room":           {answer(404, "text/plain", "requested room does not exist"), LiveKit},
		"LiveKit's API":                      {answer(401, "application/json", `{"code":"unauthenticated","msg":"permissions denied"}`), LiveKit},
		"LiveKit without nodes":              {answer(503, "application/json", `{"code":"unavailable","msg":"could not find any available nodes"}`), LiveKit},
		"single sign-on":                     {answer(302, "text/html", "", "Location: https://auth.example.org/?rd=https://jwt.example.org/"), Login},
		"Cloudflare Access":                  {answer(302, "text/html", "", "Location: https://team.cloudflareaccess.com/cdn-cgi/access/login/jwt.example.org"), Login},
		"a redirect to the same":             {answer(302, "text/html", "", "Location: https://jwt.example.org/healthz/"), Unknown},
		"Cloudflare without the server":      {answer(521, "text/html", "<!DOCTYPE html>", "Server: cloudflare"), Proxy},
		"a filter's own page":                {answer(403, "text/html", "<!DOCTYPE html><h1>Blocked"), Proxy},
		"a website for everything":           {answer(200, "text/html", "<!doctype html><title>Home"), Website},
		"a website that does not know it":    {answer(404, "text/html", "<!doctype html><title>Oops"), Website},
		"a page without a type":              {answer(200, "", "<!DOCTYPE html><html>"), Website},
		"a 404 in the words of all of Go":    {answer(404, "text/plain; charset=utf-8", "404 page not found\n"), Unknown},
		"nothing that can be told":           {answer(204, "", ""), Unknown},
		"an error of an unknown application": {answer(500, "text/plain", "oh"), Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.reply.From(); got.Party != test.want {
				t.Errorf("from %+v, want party %v", got, test.want)
			}
		})
	}
}
