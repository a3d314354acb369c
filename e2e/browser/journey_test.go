package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/stack"
)

// The README's way: jwt. and sfu. behind a reverse proxy with TLS. Its own
// commands test the deployment, then two people call each other.
func TestSubDomains(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), lent)
	t.Run("curl", func(t *testing.T) { curlJourney(t, s) })
	bothModes(t, s)
}

// bothModes has two people call each other in both ways to tell who is in a
// call, with encrypted media.
func bothModes(t *testing.T, s *stack.Stack) {
	for _, mode := range []stack.Mode{stack.Compatibility, stack.Matrix2} {
		t.Run(string(mode), func(t *testing.T) {
			if err := s.SetMode(mode); err != nil {
				t.Fatal(err)
			}
			alice, bob := newPerson(t, s, "alice"), newPerson(t, s, "bob")
			room := newRoom(t, true, alice, bob)
			alice.call(room, true)
			bob.call(room, true)
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

// curlJourney runs the README's section "Test it" as it stands there, but for
// the names and the user. curl finds the names at nginx, and trusts the stack's
// authority alone.
func curlJourney(t *testing.T, s *stack.Stack) {
	alice := newPerson(t, s, "alice")
	readme, err := stack.OpenReadme(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proxies := snippet(t, readme, "sh", "/healthz")
	if out := shell(t, s, proxies); !strings.Contains(out, "200 OK") || !strings.HasSuffix(out, "OK") {
		t.Errorf("the proxies answer:\n%s", out)
	}
	script := snippet(t, readme, "sh", "openid/request_token")
	script = replaced(t, script,
		"@alice:example.test", alice.UserID,
		"syt_...", alice.AccessToken)
	mustAdmit(t, s, alice, script)
	t.Log("at the bare host")
	mustAdmit(t, s, alice, replaced(t, script, "https://jwt.example.test/sfu/get", "https://jwt.example.test"))
}

// mustAdmit runs the README's script, whose answer must admit the person.
func mustAdmit(t *testing.T, s *stack.Stack, p *person, script string) {
	t.Helper()
	out := shell(t, s, script)
	line, claims, _ := strings.Cut(out, "\n")
	var answer caller.Answer
	if err := json.Unmarshal([]byte(line), &answer); err != nil || answer.URL != s.Layout.SFU {
		t.Fatalf("the service answers %q, %v", line, err)
	}
	var said struct{ Sub string }
	if err := json.Unmarshal([]byte(claims), &said); err != nil || said.Sub != p.UserID+":TEST" {
		t.Errorf("the script prints the claims %s, %v", claims, err)
	}
}

// snippet returns a block of the README with the stack's names.
func snippet(t *testing.T, readme stack.Readme, language, holds string) string {
	t.Helper()
	block, err := readme.Block(language, holds)
	if err != nil {
		t.Fatal(err)
	}
	return replaced(t, block, "example.org", "example.test")
}

// replaced replaces in pairs what must be there.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q is not in:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// shell runs a script whose curl finds the stack, and returns what it prints.
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
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
