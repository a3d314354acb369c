package config_test

import (
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// others returns an Input with two kinds of variables: v has variables that
// this program reads, and more has variables that it does not read.
func (v vars) others(more vars) config.Input {
	in := v.input()
	in.Others = more.input().Environment
	return in
}

// TestOtherNames checks the warning about a variable that this program does not
// read. The warning also names the variable that was probably meant. If the
// variable certainly belongs to another program, there is no warning.
func TestOtherNames(t *testing.T) {
	const url = "redis://:hunter2@redis"
	tests := []struct {
		name, text string
		more       vars
		words      string // words of the warning; "" for no warning
	}{
		{"LIVEKIT_FULL_ACESS_HOMESERVERS", "a.org", nil, "did you mean LIVEKIT_FULL_ACCESS_HOMESERVERS?"},
		{"LIVEKIT_TOKENTTL", "1h", nil, "did you mean LIVEKIT_TOKEN_TTL?"},
		{"LIVEKIT_JTW_BIND", ":80", nil, "did you mean LIVEKIT_JWT_BIND?"},
		{"LIVEKIT_TOKENTTL", "", nil, ""},
		{"LIVEKIT_TOKENTTL", " \n", nil, ""},

		{"LIVEKIT_API_KEY", "other", nil, "here it is LIVEKIT_KEY"},
		{"LIVEKIT_API_KEY", "APIkey", nil, ""}, // this program's variable has the same value
		{"LIVEKIT_API_SECRET", "hunter2", nil, "here it is LIVEKIT_SECRET"},
		{"LIVEKIT_WS_URL", "wss://other.example.org", nil, "here it is LIVEKIT_URL"},
		{"LIVEKIT_REDIS_HOST", "redis", nil, "here it is LIVEKIT_REDIS_URL"},
		{"LK_JWT_BIND", ":8080", nil, "here it is LIVEKIT_JWT_BIND"},
		{"LK_TOKEN_TTL", "2h", nil, "here it is LIVEKIT_TOKEN_TTL"},
		{"REDIS_URL", url, nil, "here it is LIVEKIT_REDIS_URL"},
		{"REDIS_URL", url, vars{"LIVEKIT_REDIS_URL": url}, ""},
		{"HS_SERVER_NAME", "example.org", nil, "here it is LIVEKIT_HS_SERVER_NAME"},
		{"FULL_ACCESS_HOMESERVERS", "other.org", nil, "here it is LIVEKIT_FULL_ACCESS_HOMESERVERS"},
		{"LK_JWT_KEY", "other", nil, "here it is LIVEKIT_KEY"},
		{"LK_JWT_SECRET", "hunter2", nil, "here it is LIVEKIT_SECRET"},
		{"LK_JWT_LOG_LEVEL", "debug", nil, "here it is LIVEKIT_LOG_LEVEL"},
		{"livekit_token_ttl", "2h", nil, "here it is LIVEKIT_TOKEN_TTL"},
		{"Livekit_Api_Key", "other", nil, "here it is LIVEKIT_KEY"},
		// Container images of databases read names like these.
		{"LIVEKIT_SECRET_FILE", "/run/secrets/s", nil, "here it is LIVEKIT_SECRET_FROM_FILE"},
		{"LIVEKIT_API_KEY_FILE", "/run/secrets/k", nil, "here it is LIVEKIT_KEY_FROM_FILE"},
		{"LIVEKIT_API_SECRET_FROM_FILE", "/run/secrets/s", nil, "here it is LIVEKIT_SECRET_FROM_FILE"},
		{"LIVEKIT_REDIS_PASSWORD_FILE", "/run/secrets/r", nil, "here it is LIVEKIT_REDIS_PASSWORD_FROM_FILE"},
		{"REDIS_PASSWORD_FILE", "/run/secrets/r", nil, "here it is LIVEKIT_REDIS_PASSWORD_FROM_FILE"},

		{"LIVEKIT_ROOM_PREFIX", "hunter2", nil, "the nearest is LIVEKIT_REDIS_PREFIX, and \"matrixrtc-auth help\" lists all"},
		{"LIVEKIT_TOKEN", "hunter2", nil, "the nearest is LIVEKIT_"},
		{"LIVEKIT_PORT", "7880", nil, "the nearest is LIVEKIT_"},
		{"LK_JWT_KEYS", "a", nil, "the nearest is "},

		// LiveKit's server reads these variables. One .env may hold the
		// variables of both programs.
		{"LIVEKIT_KEYS", "a: b", nil, ""},
		{"LIVEKIT_CONFIG", "port: 7880", nil, ""},
		// Names that many programs use.
		{"LOG_LEVEL", "debug", nil, ""},
		{"URL", "wss://other.example.org", nil, ""},
		{"LK_DEBUG", "1", nil, ""},
		{"REDIS_VERSION", "8", nil, ""},
		// Variables that Kubernetes sets in a pod for each Service.
		{"LIVEKIT_PORT", "tcp://10.96.0.7:7880", nil, ""},
		{"LIVEKIT_TOKEN_PORT", "udp://10.96.0.7:7880", nil, ""},
		{"LIVEKIT_PORT_7880_TCP", "tcp://10.96.0.7:7880", nil, ""},
		{"LIVEKIT_PORT_7880_TCP_PROTO", "tcp", nil, ""},
		{"LIVEKIT_SERVER_PORT_7881_UDP_ADDR", "10.96.0.7", nil, ""},
		{"LIVEKIT_JWT_PORT_8080_TCP_PORT", "8080", nil, ""},
		{"LIVEKIT_JWT_SERVICE_HOST", "10.96.0.7", nil, ""},
		{"LIVEKIT_SERVICE_PORT", "7880", nil, ""},
		{"LIVEKIT_SERVICE_PORT_HTTP_METRICS", "7880", nil, ""},
		{"LK_JWT_SERVICE_PORT_HTTP", "8080", nil, ""},
		{"JWT_PORT", "tcp://10.96.0.7:8080", nil, ""},

		{"LIVEKIT_KEY\n", "a", nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.text, func(t *testing.T) {
			_, warnings, err := config.Parse(minimal().with(test.more).others(vars{test.name: test.text}), disk{}.read)
			switch {
			case err != nil:
				t.Fatal(err)
			case test.words == "":
				if len(warnings) > 0 {
					t.Errorf("warnings %q, want none", warnings)
				}
			case len(warnings) != 1 || warnings[0].Variable != test.name || warnings[0].Kind != config.UnknownName || !strings.Contains(warnings[0].Text, test.words):
				t.Errorf("got %q, want one warning of %s with %q", warnings, test.name, test.words)
			case strings.Contains(warnings[0].Text, "hunter2"):
				t.Errorf("got %q, want no value in it", warnings[0])
			}
		})
	}
}

// TestMissingElsewhere checks the fault about a missing variable. The fault
// names the variables that were set in its place. No warning names them again.
func TestMissingElsewhere(t *testing.T) {
	tests := []struct {
		missing string // the missing variables; the fault is about the first
		others  vars
		words   string
	}{
		{"LIVEKIT_KEY", vars{"LIVEKIT_API_KEY": "a"}, "missing, but LIVEKIT_API_KEY is set: here it is LIVEKIT_KEY"},
		{"LIVEKIT_SECRET", vars{"LIVEKIT_API_SECRET": "hunter2"}, "missing, but LIVEKIT_API_SECRET is set: here it is LIVEKIT_SECRET"},
		{"LIVEKIT_KEY LIVEKIT_SECRET", vars{"LIVEKIT_API_KEY": "a", "LIVEKIT_API_SECRET": "hunter2"},
			"missing, but LIVEKIT_API_KEY is set: here it is LIVEKIT_KEY; LIVEKIT_API_SECRET is set: here it is LIVEKIT_SECRET"},
		{"LIVEKIT_KEY LIVEKIT_SECRET", vars{"LIVEKIT_KEYS": "a: hunter2"}, "missing, but LIVEKIT_KEYS is set: here it is LIVEKIT_KEY and LIVEKIT_SECRET"},
		{"LIVEKIT_KEY", vars{"livekit_key": "a"}, "missing, but livekit_key is set: here it is LIVEKIT_KEY"},
		{"LIVEKIT_SECRET", vars{"LIVEKIT_SECRET_FILE": "/run/secrets/s"}, "missing, but LIVEKIT_SECRET_FILE is set: here it is LIVEKIT_SECRET_FROM_FILE"},
		{"LIVEKIT_KEY LIVEKIT_SECRET", vars{"LIVEKIT_KEYS_FILE": "/keys.yaml"}, "missing, but LIVEKIT_KEYS_FILE is set: here it is LIVEKIT_KEY_FILE"},
		{"LIVEKIT_URL", vars{"LK_URL": "wss://sfu.example.org"}, "missing, but LK_URL is set: here it is LIVEKIT_URL"},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", vars{"LIVEKIT_FULL_ACCESS_HOMESERVER": "a.org"}, "missing, but LIVEKIT_FULL_ACCESS_HOMESERVER is set: here it is LIVEKIT_FULL_ACCESS_HOMESERVERS"},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", vars{"LIVEKIT_LOCAL_HOMESERVER": "a.org"}, "missing, but LIVEKIT_LOCAL_HOMESERVER is set: here it is LIVEKIT_LOCAL_HOMESERVERS"},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", vars{"LIVEKIT_FULL_ACESS_HOMESERVERS": ""}, "missing: list the servers"},
	}
	for _, test := range tests {
		t.Run(test.words, func(t *testing.T) {
			set := minimal()
			missing := strings.Fields(test.missing)
			for _, name := range missing {
				delete(set, name)
			}
			_, warnings, err := config.Parse(set.others(test.others), disk{}.read)
			list := faults(t, err)
			if len(list) != 1 || list[0].Variable != missing[0] || !strings.HasPrefix(list[0].Problem, test.words) || len(warnings) > 0 {
				t.Errorf("%v: got %v and warnings %q, want one fault of %s that begins with %q", test.others, err, warnings, missing[0], test.words)
			}
			if strings.Contains(errorText(err), "hunter2") {
				t.Errorf("%v: got %v, want no secret in it", test.others, err)
			}
		})
	}
	in := minimal().with(vars{"LIVEKIT_STORE": "redis"}).others(vars{"REDIS_URL": "redis://:hunter2@redis"})
	if _, _, err := config.Parse(in, disk{}.read); !strings.Contains(errorText(err), "LIVEKIT_REDIS_URL: missing, but REDIS_URL is set: here it is LIVEKIT_REDIS_URL") {
		t.Errorf("got %v, want REDIS_URL named", err)
	}
	in = minimal().with(vars{"LIVEKIT_AS_TOKEN": goodSecret}).others(vars{"HS_TOKEN": goodSecret, "HS_SERVER_NAME": "example.org"})
	_, _, err := config.Parse(in, disk{}.read)
	for _, name := range []string{"HS_TOKEN", "HS_SERVER_NAME"} {
		if !strings.Contains(errorText(err), name+" is set: here it is LIVEKIT_"+name) {
			t.Errorf("got %v, want %s named", err, name)
		}
	}
}

// TestLoadOthers checks that Load looks only at those variables of the
// environment that may be meant for this program.
func TestLoadOthers(t *testing.T) {
	setenv(t, minimal())
	for _, name := range []string{"LIVEKIT_API_SECRET", "REDIS_URL", "LK_JWT_BIND", "LIVEKIT_SOMETHING"} {
		t.Setenv(name, "hunter2")
	}
	t.Setenv("SOMETHING", "hunter2")
	_, warnings, err := config.Load()
	var names []string
	for _, w := range warnings {
		names = append(names, w.Variable)
	}
	if got, want := strings.Join(names, " "), "LIVEKIT_API_SECRET LIVEKIT_SOMETHING LK_JWT_BIND REDIS_URL"; err != nil || got != want {
		t.Errorf("warnings of %s, %v, want those of %s", got, err, want)
	}
}
