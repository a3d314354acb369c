package doctor_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/command/commandtest"
)

// TestOutside checks that doctor --outside needs no configuration, and that it
// joins LiveKit with a user's access token.
func TestOutside(t *testing.T) {
	s := newStack(t)
	s.env = map[string]string{"LIVEKIT_URL": "nonsense"}
	args := []string{"--outside", "--server-name", apexHost, "--public-url", "https://jwt.example.org", "--sfu-url", "wss://sfu.example.org"}
	look := s.look()
	look.Roots = s.ca.Pool()
	for _, more := range [][]string{nil, {"--user", userID, "--token-file", "-"}} {
		t.Run(fmt.Sprintf("%q", more), func(t *testing.T) {
			var out, progress bytes.Buffer
			code := commandtest.Run(t.Context(), doctor.Command(s.load, look), append(args, more...), strings.NewReader(userToken), &out, &progress)
			wants := []string{"from outside", "✓ sfu.tcp_port", "✓ sfu.websocket", "✓ public.cors"}
			if more != nil {
				wants = append(wants, "✓ user.join", "✓ sfu.ice_tcp")
			}
			for _, want := range wants {
				if !strings.Contains(out.String(), want) {
					t.Errorf("doctor %q: got\n%s\nwant %q in it", more, out.String(), want)
				}
			}
			if code != 0 || strings.Contains(out.String(), "config.") || strings.Contains(out.String(), "webhook.") {
				t.Errorf("got the exit code %d, want 0, and no check from inside:\n%s", code, out.String())
			}
		})
	}
}

// TestOutsideWithoutService checks that doctor reports one fault if it does not
// find this service. It must not also report that it does not find LiveKit.
func TestOutsideWithoutService(t *testing.T) {
	s := newStack(t)
	breaks["wellknown-missing"](s)
	s.outside()
	code, stdout, _ := s.command(t.Context(), "", "--outside", "--server-name", apexHost)
	if code != 1 || !strings.Contains(stdout, "– sfu.addresses: ") || strings.Contains(stdout, "! ") {
		t.Errorf("exit code %d\n%s, want one fault and no doubt", code, stdout)
	}
}

// TestOutsideWithoutSFU checks that doctor warns if LiveKit's address is
// unknown. The remedy must be a command line that gives the address.
func TestOutsideWithoutSFU(t *testing.T) {
	s := newStack(t)
	s.outside()
	s.sfuProxy = func(http.Handler) http.Handler { return failing(http.StatusNotFound) } // LiveKit is not where doctor guesses
	args := []string{"--outside", "--server-name", apexHost, "--public-url", "https://jwt.example.org"}
	look := s.look()
	for _, test := range []struct {
		more []string
		want int
	}{{nil, 0}, {[]string{"--strict"}, 1}, {[]string{"--user", userID, "--token-file", "/token", "--skip", "user"}, 0}} {
		t.Run(fmt.Sprintf("%q", test.more), func(t *testing.T) {
			var out, progress bytes.Buffer
			code := commandtest.Run(t.Context(), doctor.Command(s.load, look), append(args, test.more...), strings.NewReader(""), &out, &progress)
			command := "matrixrtc-auth doctor --outside --server-name example.org --public-url https://jwt.example.org --sfu-url wss://"
			for _, want := range []string{"! sfu.addresses", command, "– sfu.tcp_port: not looked at: sfu.addresses must be right first"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("doctor %q: got\n%s\nwant %q in it", test.more, out.String(), want)
				}
			}
			if code != test.want {
				t.Errorf("%q: exit code %d, want %d", test.more, code, test.want)
			}
		})
	}
}

// TestOutsideLearnsSFU checks that doctor, with a user's access token, learns
// from the service where LiveKit is, and then makes all checks of LiveKit.
func TestOutsideLearnsSFU(t *testing.T) {
	s := newStack(t)
	s.outside()
	var out, progress bytes.Buffer
	args := []string{"--outside", "--server-name", apexHost, "--user", userID, "--token-file", "/token", "--room", s.options.Room}
	code := commandtest.Run(t.Context(), doctor.Command(s.load, s.look()), args, strings.NewReader(""), &out, &progress)
	for line := range strings.Lines(out.String()) {
		if mark := strings.TrimSpace(line); strings.HasPrefix(line, "  ") && !strings.HasPrefix(mark, "✓") && !strings.HasPrefix(mark, "– sfu.bare_prefix") {
			t.Errorf("got %s, want ✓", line)
		}
	}
	for _, want := range []string{"✓ sfu.websocket", "✓ sfu.tcp_port", "✓ sfu.api_hidden", "✓ sfu.ice_tcp", "✓ user.join"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q: got %s, want %q in it", want, out.String(), want)
		}
	}
	if titles := strings.Count(out.String(), "\nLiveKit\n"); code != 0 || titles != 1 {
		t.Errorf("got the exit code %d and the title LiveKit %d times, want 0 and once:\n%s", code, titles, out.String())
	}
}

// TestOutsideUnreachableSFU checks that doctor --outside reports an address of
// LiveKit that clients cannot use. The address comes from the command line in
// one half of the cases, and from the service in the other.
func TestOutsideUnreachableSFU(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"ws://livekit:7880", "clients get ws://livekit:7880, and a name without a dot"},
		{"wss://10.0.0.4", "clients get wss://10.0.0.4, and 10.0.0.4 is a private address"},
		{"wss://[fd00::4]", "clients get wss://[fd00::4], and fd00::4 is a private address"},
		{"ws://sfu.example.org", "clients get ws://sfu.example.org, and browsers refuse ws://"},
	} {
		for _, learned := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s learned=%t", test.url, learned), func(t *testing.T) {
				s := newStack(t)
				s.outside()
				args := []string{"--outside", "--server-name", apexHost, "--public-url", "https://jwt.example.org"}
				if learned {
					args = append(args, "--user", userID, "--token-file", "/token")
					s.sfu(test.url)
				} else {
					args = append(args, "--sfu-url", test.url)
				}
				var out, progress bytes.Buffer
				code := commandtest.Run(t.Context(), doctor.Command(s.load, s.look()), args, strings.NewReader(""), &out, &progress)
				if code != 1 || !strings.Contains(out.String(), "✗ sfu.addresses: "+test.want) || !strings.Contains(out.String(), "LIVEKIT_INTERNAL_URL") {
					t.Errorf("%s, learned: %v: exit code %d, want 1 and %q in:\n%s", test.url, learned, code, test.want, out.String())
				}
			})
		}
	}
}

// TestUserRoom checks that each run requests tokens for a different room, and
// deletes the room even if the run is interrupted.
func TestUserRoom(t *testing.T) {
	s := newStack(t)
	seen := map[string]int{}
	look := s.look()
	for range 2 {
		ctx, interrupt := context.WithCancel(t.Context())
		look.Join = func(ctx context.Context, _, _ string) (instruments.Participant, error) {
			for _, room := range s.lk.Rooms() {
				seen[string(room.Name)]++
			}
			interrupt()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		var out bytes.Buffer
		args := []string{"--user", userID, "--token-file", "/token", "--only", "user"}
		if code := commandtest.Run(ctx, doctor.Command(s.load, look), args, strings.NewReader(""), &out, &out); code != 2 {
			t.Errorf("exit code %d, want 2\n%s", code, out.String())
		}
		if rooms := s.lk.Rooms(); len(rooms) > 0 {
			t.Errorf("the rooms %v still exist, want none", rooms)
		}
	}
	if len(seen) != 2 {
		t.Errorf("two runs used the rooms %v, want a different room for each", seen)
	}
}

// TestInterrupted checks that doctor deletes the room that it created on the
// SFU (the probe room) even after Ctrl-C.
func TestInterrupted(t *testing.T) {
	s := newStack(t)
	ctx, interrupt := context.WithCancel(t.Context())
	look := s.look()
	look.Join = func(ctx context.Context, _, _ string) (instruments.Participant, error) {
		if len(s.lk.Rooms()) == 0 {
			t.Error("Join: got no room, want the probe room")
		}
		interrupt()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var out bytes.Buffer
	if code := commandtest.Run(ctx, doctor.Command(s.load, look), nil, strings.NewReader(""), &out, &out); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if rooms := s.lk.Rooms(); len(rooms) > 0 {
		t.Errorf("the rooms %v still exist, want none", rooms)
	}
}

// TestInterruptedInput checks that a person can interrupt a run that waits for
// standard input.
func TestInterruptedInput(t *testing.T) {
	s := newStack(t)
	ctx, interrupt := context.WithCancel(t.Context())
	silence, w := io.Pipe()
	defer w.Close()
	interrupt()
	var out bytes.Buffer
	code := commandtest.Run(ctx, doctor.Command(s.load, s.look()), []string{"--user", userID, "--token-file", "-"}, silence, &out, &out)
	if want := "matrixrtc-auth doctor: interrupted\n"; code != 2 || out.String() != want {
		t.Errorf("got the exit code %d, %q, want 2, %q", code, out.String(), want)
	}
}

// TestLongFiles checks that ReadFile refuses a file that is longer than 1 MiB.
func TestLongFiles(t *testing.T) {
	look := doctor.NewLook(version)
	for size, want := range map[int]bool{1 << 20: true, 1<<20 + 1: false} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
				t.Fatal(err)
			}
			if text, err := look.ReadFile(name); (err == nil) != want || want && len(text) != size {
				t.Errorf("%d bytes: got %d, %v, want all: %v", size, len(text), err, want)
			}
		})
	}
}

// TestServers checks that doctor examines each listed server, and that each
// finding names its server.
func TestServers(t *testing.T) {
	s := newStack(t)
	s.env["LIVEKIT_FULL_ACCESS_HOMESERVERS"] = apexHost + ",other.example.org"
	report := s.examine()
	seen := map[string]engine.Status{}
	for _, c := range report.Checks {
		if c.ID == "homeserver.addresses" {
			seen[c.Server] = c.Status
		}
	}
	if len(seen) != 2 || seen[apexHost] != engine.OK || seen["other.example.org"] != engine.Fail {
		t.Errorf("got %v, want %s good and other.example.org at fault", seen, apexHost)
	}
}

// TestServerTwice checks that doctor examines a server only once if it is named
// twice.
func TestServerTwice(t *testing.T) {
	s := newStack(t)
	_, stdout, _ := s.command(t.Context(), "", "--server-name", apexHost, "--server-name", apexHost, "--only", "homeserver.addresses")
	if n := strings.Count(stdout, "homeserver.addresses"); n != 1 {
		t.Errorf("looked at %d times, want once:\n%s", n, stdout)
	}
}

// TestResolve checks that doctor uses the addresses of --resolve in place of
// DNS.
func TestResolve(t *testing.T) {
	s := newStack(t)
	delete(s.dns, sfuHost)
	code, stdout, _ := s.command(t.Context(), "", "--resolve", sfuHost+":443:"+sfuIP)
	if code != 0 || !strings.Contains(stdout, "✓ sfu.websocket") {
		t.Errorf("got the exit code %d, want 0, and ✓ sfu.websocket:\n%s", code, stdout)
	}
}

// TestTokenInClear checks when doctor sends an access token to an http:// URL.
// It must do so if the operator set the URL, but not if only the well-known
// document names the URL.
func TestTokenInClear(t *testing.T) {
	for name, overridden := range map[string]bool{"document": false, "override": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			baseURL("http://" + matrixHost)(s)
			var seen atomic.Bool
			if overridden {
				s.env["LIVEKIT_CS_API_URL_OVERRIDES"] = apexHost + "=http://" + matrixHost
			}
			s.routes["tcp "+matrixIP+":80"] = newServer(s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					seen.Store(true)
				}
				s.newClientAPI().ServeHTTP(w, r)
			}))
			s.command(t.Context(), "", "--user", userID, "--token-file", "/token")
			if seen.Load() != overridden {
				t.Errorf("whether the token was sent: got %v, want %v", seen.Load(), overridden)
			}
		})
	}
}
