package registration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/registration"
)

// run runs the command and returns its exit code and what it printed.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = commandtest.Run(t.Context(), registration.Command(), args, nil, &out, &err)
	return code, out.String(), err.String()
}

func TestTheFileIsWhatBothNeed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registration.yaml")
	code, stdout, stderr := run(t, "--server-name", "example.org", "--url", "http://matrixrtc-auth:8080/", "--output", path)
	if code != 0 || stderr != "" {
		t.Fatalf("got the exit code %d, stderr %q, want 0 and none", code, stderr)
	}
	r, err := appservice.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	server, err := matrix.ParseServerName("example.org")
	if err != nil {
		t.Fatal(err)
	}
	if findings := r.Lint(server); len(findings) > 0 {
		t.Errorf("Lint: got %v, want no findings", findings)
	}
	if r.ProxyURL != "http://matrixrtc-auth:8080" || r.URL != "" {
		t.Errorf("got proxy_url %q, url %q, want http://matrixrtc-auth:8080 and none", r.ProxyURL, r.URL)
	}
	for _, want := range []string{
		"- " + path, "LIVEKIT_HS_SERVER_NAME=example.org", "msc4502_enabled: true", "msc4512_enabled: true",
		"rc_message:\n    per_second: 0.5\n    burst_count: 30\n", "url: wss://sfu.example.org", "livekit_service_url: https://jwt.example.org", "does\nnot start on a registration file that it cannot read",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output: got\n%s\nwant %q in it", stdout, want)
		}
	}
	if strings.Contains(stdout, r.ASToken.Reveal()) || strings.Contains(stdout, r.HSToken.Reveal()) {
		t.Error("the output: got a token in it, want none")
	}
}

func TestASecondRunKeepsTheTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registration.yaml")
	read := func(more ...string) appservice.Registration {
		t.Helper()
		args := append([]string{"--server-name", "example.org", "--output", path}, more...)
		if code, _, stderr := run(t, args...); code != 0 {
			t.Fatalf("%q: got the exit code %d, want 0: %s", args, code, stderr)
		}
		r, err := appservice.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, second := read("--url", "http://a:8080"), read("--url", "http://b:8080", "--push")
	if !second.ASToken.Equal(first.ASToken) || !second.HSToken.Equal(first.HSToken) {
		t.Error("a second run: got new tokens, want the first ones")
	}
	if second.ProxyURL != "http://b:8080" || second.URL != "http://b:8080" {
		t.Errorf("proxy_url %q and url %q, want the new address in both", second.ProxyURL, second.URL)
	}
	if third := read("--url", "http://a:8080", "--new-tokens"); third.ASToken.Equal(first.ASToken) || third.HSToken.Equal(first.HSToken) {
		t.Error("a run with --new-tokens: got the first as_token, want a new one")
	}
}

// TestWhatIsLeftIsTold checks that the command names the faults of the file
// that it has written, and says correctly which tokens it kept.
func TestWhatIsLeftIsTold(t *testing.T) {
	const same = "as_token: short\nhs_token: short\n"
	for _, tt := range []struct {
		name, old, url string
		stdout, stderr string
		names          bool
	}{
		{"kept tokens", same, "http://a", "with the tokens of the old file", "hs_token: it equals as_token", false},
		{"an empty file", "", "http://a", "with new tokens", "", false},
		{"one token", "as_token: " + strings.Repeat("a", 32), "http://a", "with one new token; the other one is kept", "", false},
		{"names stay, tokens do not", "id: rtc\nsender_localpart: bot\n" + same, "http://a", "with new tokens", "", true},
		{"a path of Matrix", "", "http://a/_matrix", "with new tokens", "proxy_url: it holds a path of Matrix", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.yaml")
			if err := os.WriteFile(path, []byte(tt.old), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"--server-name", "a.org", "--url", tt.url, "--output", path}
			if tt.names {
				args = append(args, "--new-tokens")
			}
			code, stdout, stderr := run(t, args...)
			if r, err := appservice.ReadFile(path); tt.names && (err != nil || r.ID != "rtc" || r.SenderLocalpart != "bot" || r.ASToken.Reveal() == "short") {
				t.Errorf("got id %q and sender_localpart %q, %v, want rtc, bot and another as_token", r.ID, r.SenderLocalpart, err)
			}
			if code != 0 || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("exit code %d, output %q, stderr %q, want 0, %q and %q", code, stdout, stderr, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("as_token: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"nothing", nil, 2, []string{"--server-name is missing", "--url is missing"}},
		{"a URL as name", []string{"--server-name", "https://example.org", "--url", "x"}, 2, []string{"--server-name: ", "--url is not a URL"}},
		{"ws", []string{"--server-name", "a.org", "--url", "wss://a.org"}, 2, []string{"--url is not a URL like http://"}},
		{"https for LiveKit", []string{"--server-name", "a.org", "--url", "http://a", "--livekit-url", "https://a"}, 2, []string{"--livekit-url is not"}},
		{"a word more", []string{"--server-name", "a.org", "b.org"}, 2, []string{`"b.org" is not an option`}},
		{"an unknown flag", []string{"--sever-name", "a.org"}, 2, []string{"-sever-name"}},
		{"a broken file", []string{"--server-name", "a.org", "--url", "http://a", "--output", broken}, 1, []string{"broken.yaml: the text is not a registration", "move it away"}},
		{"no file", []string{"--server-name", "a.org", "--url", "http://a", "--output", ""}, 2, []string{"--output is empty"}},
		{"no folder", []string{"--server-name", "a.org", "--url", "http://a", "--output", filepath.Join(dir, "none", "r.yaml")}, 1, []string{"cannot be written"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := run(t, tt.args...)
			if code != tt.code || stdout != "" {
				t.Errorf("exit code %d and output %q, want %d and none", code, stdout, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q: got %s, want %q in it", want, stderr, want)
				}
			}
		})
	}
	if text, _ := os.ReadFile(broken); string(text) != "as_token: [" {
		t.Errorf("a file with a fault: got it overwritten with %q, want it unchanged", text)
	}
}

func TestHelp(t *testing.T) {
	code, stdout, stderr := run(t, "--help")
	if code != 0 || stderr != "" || !strings.Contains(stdout, "Usage: matrixrtc-auth registration") {
		t.Errorf("--help: got the exit code %d, stdout %q, stderr %q, want 0 and the usage", code, stdout, stderr)
	}
}
