package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/stack"
)

// TestSubDomains tests the deployment of docs/synology.md: the service (jwt.) and
// LiveKit (sfu.) are behind a reverse proxy with TLS. It runs the commands of
// docs/by-hand.md. Then two people call each other.
func TestSubDomains(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), lent)
	subtest(t, s, "curl", func(t *testing.T) { curlJourney(t, s) })
	bothModes(t, s)
}

// bothModes makes two people call each other in both modes of Element Call, with
// encrypted media.
func bothModes(t *testing.T, s *stack.Stack) {
	for _, mode := range []stack.Mode{stack.Compatibility, stack.Matrix2} {
		subtest(t, s, string(mode), func(t *testing.T) {
			if err := s.SetMode(mode); err != nil {
				t.Fatal(err)
			}
			alice, bob := newPerson(t, s, "alice"), newPerson(t, s, "bob")
			room := newRoom(t, true, alice, bob)
			alice.call(room, true)
			bob.call(room, true)
			alice.findsService()
			alice.sees(2)
			bob.sees(2)
			alice.isMember(bob, room, mode)
			bob.isMember(alice, room, mode)
			isEncrypted(t, s, room, 2)
			alice.hangUp()
			alice.hasLeft(bob, room, mode, 10*time.Second)
		})
	}
}

// curlJourney runs the commands of docs/by-hand.md. It replaces only the host names and
// the user. In the commands, curl resolves the host names to nginx, and trusts only the
// certificate authority of the stack.
func curlJourney(t *testing.T, s *stack.Stack) {
	alice := newPerson(t, s, "alice")
	docs, err := stack.OpenDocs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proxies := snippet(t, docs, "sh", "/healthz")
	if out := shell(t, s, proxies); !strings.Contains(out, "200 OK") || !strings.HasSuffix(out, "OK") {
		t.Errorf("/healthz through the proxies: got\n%s\nwant 200 and OK", out)
	}
	script := snippet(t, docs, "sh", "openid/request_token")
	script = replaced(t, script,
		"@alice:example.test", alice.UserID,
		"syt_...", alice.AccessToken)
	mustAdmit(t, s, alice, script)
	t.Log("at the bare host")
	mustAdmit(t, s, alice, replaced(t, script, "https://jwt.example.test/sfu/get", "https://jwt.example.test"))
	isWellKnown(t, s)
}

// isWellKnown runs the command of docs/homeserver.md that reads the well-known file.
// Browsers must be able to read the file, and it must name the service.
func isWellKnown(t *testing.T, s *stack.Stack) {
	t.Helper()
	out := shell(t, s, replaced(t, fromDocs(t, "`(curl -i \\S+/.well-known/matrix/client)`"), "example.org", "example.test"))
	head, body, _ := strings.Cut(out, "\r\n\r\n") // curl has put the parts of a chunked body together
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head+"\r\n\r\n")), nil)
	if err != nil {
		t.Fatalf("the well-known file: got %v, want an HTTP response:\n%s", err, out)
	}
	resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	origins := resp.Header.Values("Access-Control-Allow-Origin")
	if resp.StatusCode != http.StatusOK || kind != "application/json" || !slices.Equal(origins, []string{"*"}) {
		t.Errorf("the well-known file: got\n%s\nwant JSON with one CORS header", out)
	}
	var file wellKnown
	if err := json.Unmarshal([]byte(body), &file); err != nil {
		t.Fatalf("the well-known file: got %v, want JSON:\n%s", err, out)
	}
	file.mustLeadTo(t, s)
}

// wellKnown is the content of /.well-known/matrix/client.
type wellKnown struct {
	Homeserver struct {
		BaseURL string `json:"base_url"`
	} `json:"m.homeserver"`
	Foci []struct {
		Type string `json:"type"`
		URL  string `json:"livekit_service_url"`
	} `json:"org.matrix.msc4143.rtc_foci"`
}

func (w wellKnown) mustLeadTo(t *testing.T, s *stack.Stack) {
	t.Helper()
	if strings.TrimSuffix(w.Homeserver.BaseURL, "/") != s.Layout.Homeserver {
		t.Errorf("the well-known file: got the homeserver %q, want %s", w.Homeserver.BaseURL, s.Layout.Homeserver)
	}
	if len(w.Foci) != 1 || w.Foci[0].Type != "livekit" || w.Foci[0].URL != s.Layout.Service {
		t.Errorf("the well-known file: got the foci %v, want %s alone", w.Foci, s.Layout.Service)
	}
}

// findsService makes the person's browser fetch the well-known file from a page of
// another origin, and checks that the file names the service.
func (p *person) findsService() {
	p.t.Helper()
	file, err := ask[wellKnown](p, fmt.Sprintf("fetch(%q).then(answer => answer.json())", "https://"+p.stack.Layout.ServerName+"/.well-known/matrix/client"))
	if err != nil {
		p.t.Fatalf("%s cannot fetch the well-known file: %v", p.name, err)
	}
	file.mustLeadTo(p.t, p.stack)
}

// mustAdmit runs a script of docs/by-hand.md, and checks that the service gives the
// person a token.
func mustAdmit(t *testing.T, s *stack.Stack, p *person, script string) {
	t.Helper()
	out := shell(t, s, script)
	line, claims, _ := strings.Cut(out, "\n")
	var answer caller.Answer
	if err := json.Unmarshal([]byte(line), &answer); err != nil || answer.URL != s.Layout.SFU {
		t.Fatalf("the service: got %q, %v, want the address %s", line, err, s.Layout.SFU)
	}
	var said struct{ Sub string }
	if err := json.Unmarshal([]byte(claims), &said); err != nil || said.Sub != p.UserID+":TEST" {
		t.Errorf("the script: got the claims %s, %v, want those of %s:TEST", claims, err, p.UserID)
	}
}

// snippet returns the first code block of the docs in the given language that contains
// the text holds. It replaces the host names of the docs by those of the stack.
func snippet(t *testing.T, docs stack.Docs, language, holds string) string {
	t.Helper()
	block, err := docs.Block(language, holds)
	if err != nil {
		t.Fatal(err)
	}
	return replaced(t, block, "example.org", "example.test")
}

// replaced replaces the first text of each pair by the second. The test fails if a
// first text is missing.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("got\n%s\nwant %q in it", text, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// shell runs a script and returns its output. curl in the script connects to the stack.
func shell(t *testing.T, s *stack.Stack, script string) string {
	t.Helper()
	var config strings.Builder
	for name, address := range s.Hosts() {
		fmt.Fprintf(&config, "connect-to = \"%s:443:%s\"\n", name, address)
	}
	ca, err := s.Host.WriteFile("ca.pem", s.CA.PEM())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&config, "cacert = %q\nsilent\nshow-error\nmax-time = 30\n", ca)
	if _, err := s.Host.WriteFile(".curlrc", []byte(config.String())); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(within(t, starting), "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Clean(s.Host.Dir)}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the script\n%s\ngot %v\n%s\nwant no error", script, err, out)
	}
	return strings.TrimSpace(string(out))
}
