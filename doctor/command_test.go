package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/command/commandtest"
)

// command runs doctor on the stack with the arguments of a command line.
func (s *stack) command(ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, progress bytes.Buffer
	code = commandtest.Run(ctx, doctor.Command(s.load, s.look()), args, strings.NewReader(stdin), &out, &progress)
	return code, out.String(), progress.String()
}

func TestExitCodes(t *testing.T) {
	warned := func(s *stack) { s.service = func(h *handler.Handler) { h.Access.Delegation = nil } }
	for name, test := range map[string]struct {
		breakIt func(*stack)
		args    []string
		want    int
	}{
		"healthy":          {func(*stack) {}, nil, 0},
		"healthy, strict":  {func(*stack) {}, []string{"--strict"}, 0},
		"warning":          {warned, nil, 0},
		"warning, strict":  {warned, []string{"--strict"}, 1},
		"fault":            {breaks["websocket-headers"], nil, 1},
		"fault elsewhere":  {breaks["websocket-headers"], []string{"--only", "homeserver"}, 0},
		"fault skipped":    {breaks["websocket-headers"], []string{"--skip", "sfu.websocket"}, 0},
		"unknown option":   {func(*stack) {}, []string{"--nonsense"}, 2},
		"no server":        {set("LIVEKIT_FULL_ACCESS_HOMESERVERS", "*"), nil, 2},
		"refused by serve": {breaks["config-refused"], nil, 1},
		"nothing to do":    {func(s *stack) {}, []string{"--only", "user"}, 2},
		"help":             {func(*stack) {}, []string{"--help"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			test.breakIt(s)
			if code, stdout, stderr := s.command(t.Context(), "", test.args...); code != test.want {
				t.Errorf("exit code %d, want %d\n%s%s", code, test.want, stdout, stderr)
			}
		})
	}
}

// TestUsage checks that the error message names the option that is missing or
// wrong.
func TestUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"--user needs --token-file":               {"--user", "@alice:example.org"},
		"--token-file needs --user":               {"--token-file", "-"},
		"--room needs --user":                     {"--room", "!room:example.org"},
		"--outside needs --server-name":           {"--outside"},
		"there is no check or group \"nonsense\"": {"--only", "nonsense"},
		"\"nonsense\" is not an option":           {"nonsense"},
		"--public-url: the address is not a URL that begins with https://: write it as https://jwt": {"--public-url", "jwt.example.org"},
		"--public-url: the address holds a user":                                                    {"--public-url", "https://alice:s3cret@jwt.example.org"},
		"--public-url: the address has something behind the path":                                   {"--public-url", "https://jwt.example.org?s3cret"},
		"--sfu-url: the address is not a URL that begins with wss://":                               {"--sfu-url", "sfu.example.org"},
		"--sfu-url: the address is not a URL that begins with wss:":                                 {"--sfu-url", "turn://sfu.example.org"},
		"--sfu-url: the address is not a URL":                                                       {"--sfu-url", "wss://:443"},
		"--sfu-url: the address holds a user or a password":                                         {"--sfu-url", "wss://key:s3cret@sfu.example.org"},
		"--sfu-url: the address has something behind the path (a ? or":                              {"--sfu-url", "wss://sfu.example.org/?access_token=s3cret"},
		"--sfu-url: the address has something behind the path":                                      {"--sfu-url", "wss://sfu.example.org/#s3cret"},
		"--sfu-url: the address has a port that is not a number":                                    {"--sfu-url", "wss://sfu.example.org:70000"},
		"is not of the form host:port:address":                                                      {"--resolve", "example.org:443"},
		"the file must hold one access token":                                                       {"--user", "@alice:example.org", "--token-file", "-"},
		"-token-file: the file cannot be read":                                                      {"--user", "@alice:example.org", "--token-file", "/nowhere"},
		"is not a server name":                                                                      {"--server-name", "https://example.org"},
		"does not start with '!'":                                                                   {"--user", "@alice:example.org", "--token-file", "/token", "--room", "room"},
		"--server-name may be given at most 5 times":                                                slices.Repeat([]string{"--server-name", "example.org"}, 6),
	} {
		t.Run(want, func(t *testing.T) {
			s := newStack(t)
			code, stdout, stderr := s.command(t.Context(), "", args...)
			if code != 2 || stdout != "" || !strings.Contains(stderr, want) || strings.Contains(stderr, "s3cret") {
				t.Errorf("%q: got the exit code %d, %q, want 2, and %q in it", args, code, stderr, want)
			}
		})
	}
}

// TestUserOfNoServer checks that doctor checks the homeserver of the user if
// the configuration names no homeserver.
func TestUserOfNoServer(t *testing.T) {
	s := newStack(t)
	s.env["LIVEKIT_FULL_ACCESS_HOMESERVERS"] = ""
	_, stdout, stderr := s.command(t.Context(), "", "--user", userID, "--token-file", "/token")
	if !strings.Contains(stdout, "✗ config.environment") || !strings.Contains(stdout, "✓ user.openid") {
		t.Errorf("want a fault of the environment and a check of the user's token, got\n%s%s", stdout, stderr)
	}
}

// TestNoEntryIsAServer checks that doctor runs if
// LIVEKIT_FULL_ACCESS_HOMESERVERS contains no server name, and reports that as
// a fault.
func TestNoEntryIsAServer(t *testing.T) {
	s := newStack(t)
	s.env["LIVEKIT_FULL_ACCESS_HOMESERVERS"] = "https://example.org"
	code, stdout, stderr := s.command(t.Context(), "")
	if code != 1 || !strings.Contains(stdout, "✗ config.full_access") || !strings.Contains(stdout, "✓ sfu.api") {
		t.Errorf("exit code %d, want 1 and a fault of config.full_access\n%s%s", code, stdout, stderr)
	}
}

// TestUserNobodyNamed checks that doctor runs if
// LIVEKIT_FULL_ACCESS_HOMESERVERS lacks the user's homeserver, and reports that
// as a fault.
func TestUserNobodyNamed(t *testing.T) {
	s := newStack(t)
	s.env["LIVEKIT_FULL_ACCESS_HOMESERVERS"] = "matrix.example.org"
	code, stdout, stderr := s.command(t.Context(), "", "--user", userID, "--token-file", "/token")
	want := "✗ config.full_access: example.org is not in the list: matrix.example.org"
	if code != 1 || !strings.Contains(stdout, want) || !strings.Contains(stdout, "✓ user.openid") {
		t.Errorf("exit code %d, want 1 and %q\n%s%s", code, want, stdout, stderr)
	}
}

// TestJSON checks that the JSON document has the fields that scripts rely on.
// Standard output must contain nothing else.
func TestJSON(t *testing.T) {
	s := newStack(t)
	breaks["twirp-public"](s)
	code, stdout, stderr := s.command(t.Context(), userToken+"\n", "--json", "--user", userID, "--token-file", "-")
	var r struct {
		Version, Vantage string
		Summary          map[string]int
		Checks           []map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
		t.Fatalf("got the exit code %d, %v, want 0 and JSON\n%s", code, err, stdout)
	}
	if r.Version != version || r.Vantage != "inside" || r.Summary["warn"] != 1 || r.Summary["fail"] != 0 || r.Summary["ok"] < 40 {
		t.Errorf("got %s, %s, %v, want %s, inside, one warning, no fault, 40 good at least", r.Version, r.Vantage, r.Summary, version)
	}
	for _, c := range r.Checks {
		for _, field := range []string{"id", "status", "seen", "cause", "remedy", "element_call_code", "duration_ms"} {
			if _, there := c[field]; !there {
				t.Errorf("%v: got no field %s, want one", c["id"], field)
			}
		}
	}
	if stderr != "" {
		t.Errorf("standard error is not a terminal: got the progress %q, want none", stderr)
	}
}

// TestNoSecretIsPrinted checks that doctor prints no secret, even if answers
// repeat what doctor sent.
func TestNoSecretIsPrinted(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"errcode":"` + r.Header.Get("Authorization") + `"}`))
	}
	for name, breakIt := range map[string]func(*stack){
		"healthy":    func(*stack) {},
		"transports": func(s *stack) { s.client = at(transportsRoute, echo) },
		"openid":     func(s *stack) { s.client = at("request_token", echo) },
		"sfu":        func(s *stack) { s.livekit = at("/twirp", echo) },
		"status":     func(s *stack) { s.jwtProxy = at("/_status", echo) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			breakIt(s)
			_, stdout, stderr := s.command(t.Context(), userToken, "--user", userID, "--token-file", "-")
			for _, secret := range []string{userToken, stackKey.Secret.Reveal(), "eyJ"} {
				if strings.Contains(stdout+stderr, secret) {
					t.Errorf("want no %q in the output, got\n%s%s", secret, stdout, stderr)
				}
			}
		})
	}
}
