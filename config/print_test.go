package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

func TestPrint(t *testing.T) {
	set := minimal().with(vars{
		"LIVEKIT_KEY_FILE":                 "/keys.yaml",
		"LIVEKIT_FEDERATION_URL_OVERRIDES": "b.org=https://b.internal, a.org=http://synapse:8008/",
		"LIVEKIT_TRUSTED_PROXIES":          "172.18.0.1",
		"LIVEKIT_AS_REGISTRATION_FILE":     "/as.yaml",
		"LIVEKIT_HS_SERVER_NAME":           "example.org",
		"LIVEKIT_REDIS_URL":                "redis://:hunter2@redis:6379/0",
		"LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/redis",
		"LK_JWT_PORT":                      "9000",
		"LIVEKIT_TOKEN_TTL":                "90m",
		"LIVEKIT_URL_ALIASES":              "wss://old.example.org",
	})
	files := disk{"/keys.yaml": "APIone: hunter4\n" + goodSecret + ": " + strings.Repeat("hunter5", 5) + "\n", "/redis": "hunter3\n", "/as.yaml": "as_token: hunter6\nhs_token: hunter7\n"}
	c, _, err := config.Parse(set.input(), files.read)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := c.Print(&got); err != nil {
		t.Fatal(err)
	}
	const want = `LIVEKIT_URL=wss://sfu.example.org
LIVEKIT_URL_ALIASES=wss://old.example.org
LIVEKIT_INTERNAL_URL=https://sfu.example.org
LIVEKIT_KEY=APIone,0123…
LIVEKIT_SECRET=[redacted],[redacted]
LIVEKIT_KEY_FROM_FILE=
LIVEKIT_SECRET_FROM_FILE=
LIVEKIT_KEY_FILE=/keys.yaml
LIVEKIT_FULL_ACCESS_HOMESERVERS=example.org
LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS=*
LIVEKIT_CAN_UPDATE_OWN_METADATA=false
LIVEKIT_TOKEN_TTL=1h30m
LIVEKIT_OPENID_TIMEOUT=10s
LIVEKIT_FEDERATION_URL_OVERRIDES=a.org=http://synapse:8008,b.org=https://b.internal
LIVEKIT_CS_API_URL_OVERRIDES=
LIVEKIT_ALLOWED_NETWORKS=
LIVEKIT_CA_FILE=
LIVEKIT_INSECURE_SKIP_VERIFY_TLS=
LIVEKIT_JWT_BIND=:9000
LIVEKIT_METRICS_BIND=
LIVEKIT_TRUSTED_PROXIES=172.18.0.1/32
LIVEKIT_CLIENT_ADDRESS=x-forwarded-for
LIVEKIT_RATE_LIMIT=60/min,burst=30
LIVEKIT_SHUTDOWN_DELAY=0s
LIVEKIT_TEST_PAGE=on
LIVEKIT_LOG_LEVEL=info
LIVEKIT_LOG_FORMAT=text
LIVEKIT_DELEGATION=on
LIVEKIT_STORE=redis
LIVEKIT_REDIS_URL=redis://[redacted]@redis:6379/0
LIVEKIT_REDIS_PASSWORD=[redacted]
LIVEKIT_REDIS_PASSWORD_FROM_FILE=/redis
LIVEKIT_REDIS_PREFIX=matrixrtc-auth
LIVEKIT_MAX_JOBS=200000
LIVEKIT_MAX_JOBS_PER_USER=100
LIVEKIT_RECONNECT_GRACE=1s
LIVEKIT_DELAYED_EVENT_RATE=10/s
LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS=60
LIVEKIT_AS_TOKEN=[redacted]
LIVEKIT_HS_TOKEN=[redacted]
LIVEKIT_AS_REGISTRATION_FILE=/as.yaml
LIVEKIT_HS_SERVER_NAME=example.org
LIVEKIT_REQUIRE_MEMBERSHIP=off
LIVEKIT_MEMBERSHIP_TOKEN_FILE=
LIVEKIT_MEMBERSHIP_UNKNOWN=deny
LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS=30
LIVEKIT_MEMBERSHIP_BRAKE=on
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
}

// TestPrintReadsBack checks that the output of Print is a valid configuration,
// and that Print writes the same output again for that configuration.
func TestPrintReadsBack(t *testing.T) {
	first, _, err := config.Parse(minimal().with(vars{
		"LIVEKIT_INTERNAL_URL":             "ws://livekit:7880/x/",
		"LIVEKIT_FULL_ACCESS_HOMESERVERS":  "a.org b.org",
		"LIVEKIT_CS_API_URL_OVERRIDES":     "a.org=https://a b.org=https://b/x/",
		"LIVEKIT_ALLOWED_NETWORKS":         "10.1.1.1/8,::1",
		"LIVEKIT_TRUSTED_PROXIES":          "none",
		"LIVEKIT_CLIENT_ADDRESS":           "X-Real-Ip",
		"LIVEKIT_INSECURE_SKIP_VERIFY_TLS": "YES_I_KNOW_WHAT_I_AM_DOING",
		"LIVEKIT_JWT_BIND":                 "unix:/run/auth.sock",
		"LIVEKIT_METRICS_BIND":             "[::1]:9090",
		"LIVEKIT_RATE_LIMIT":               "off",
		"LIVEKIT_LOG_FORMAT":               "json",

		"LIVEKIT_DELEGATION":                    "off",
		"LIVEKIT_STORE":                         "file:/var/lib//leaves",
		"LIVEKIT_MAX_JOBS":                      "7",
		"LIVEKIT_MAX_JOBS_PER_USER":             "3",
		"LIVEKIT_RECONNECT_GRACE":               "1500ms",
		"LIVEKIT_DELAYED_EVENT_RATE":            "off",
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "0",
	}).input(), disk{}.read)
	if err != nil {
		t.Fatal(err)
	}
	want := printed(t, first)
	again := vars(printed(t, first)).with(vars{"LIVEKIT_SECRET": goodSecret})
	second, _, err := config.Parse(again.input(), disk{}.read)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range printed(t, second) {
		if got != want[name] {
			t.Errorf("%s: got %q, want %q as before", name, got, want[name])
		}
	}
}

func TestPrintStaysOnItsLine(t *testing.T) {
	c, _, err := config.Parse(minimal().with(vars{"LIVEKIT_KEY": "a\nLIVEKIT_URL=forged\u202e"}).input(), disk{}.read)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := printed(t, c)["LIVEKIT_KEY"], `"a\nLIVEKIT_URL=forged\u202e"`; got != want {
		t.Errorf("LIVEKIT_KEY=%s, want %s", got, want)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestPrintFails(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := (config.Config{}).Print(failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

// outputs returns every text about a configuration that the program can print
// or log.
func outputs(c config.Config, in config.Input, warnings []config.Warning, err error) map[string]string {
	var lines, text, json bytes.Buffer
	c.Print(&lines)
	slog.New(slog.NewTextHandler(&text, nil)).Info("start", "config", c, "warnings", warnings, "error", err)
	slog.New(slog.NewJSONHandler(&json, nil)).Info("start", "config", c, "input", in.Environment)
	return map[string]string{
		"error":    fmt.Sprintf("%v", err),
		"warnings": fmt.Sprintf("%q", warnings),
		"Print":    lines.String(),
		"slog":     text.String() + json.String(),
		"%+v":      fmt.Sprintf("%v %+v %#v %+v %+v", c, c, c, c.AppService, c.Account),
		"input":    fmt.Sprintf("%v %+v %#v %v", in, in, in, in.Environment["LIVEKIT_SECRET"]),
	}
}

func TestSecretsStaySecret(t *testing.T) {
	const s = "hunter2"
	complete := minimal().with(vars{
		"LIVEKIT_SECRET": s, "LIVEKIT_AS_TOKEN": s, "LIVEKIT_HS_TOKEN": s, "LIVEKIT_HS_SERVER_NAME": "example.org",
		"LIVEKIT_REDIS_URL": "redis://" + s + ":" + s + "@redis:6379/0?client_name=" + s, "LIVEKIT_REDIS_PASSWORD": s,
	})
	tests := map[string]vars{
		"good":                       {},
		"faults elsewhere":           {"LIVEKIT_URL": "", "LIVEKIT_HS_SERVER_NAME": ""},
		"key missing":                {"LIVEKIT_KEY": ""},
		"odd secret":                 {"LIVEKIT_SECRET": "'" + s + " \n" + s + "'", "LIVEKIT_AS_TOKEN": s + "\x00"},
		"swapped":                    {"LIVEKIT_KEY": "0123" + s + s + s + s + s + s, "LIVEKIT_SECRET": s},
		"swapped files":              {"LIVEKIT_KEY_FROM_FILE": "/long", "LIVEKIT_SECRET_FROM_FILE": "/other"},
		"swapped in the key file":    {"LIVEKIT_KEY_FILE": "/swapped"},
		"secret instead of its path": {"LIVEKIT_SECRET_FROM_FILE": s, "LIVEKIT_AS_REGISTRATION_FILE": s},
		"path of another kind":       {"LIVEKIT_KEY_FILE": "/other"},
		"Redis without scheme":       {"LIVEKIT_REDIS_URL": ":" + s + "@redis:6379"},
		"Redis with a bad port":      {"LIVEKIT_REDIS_URL": "redis://:" + s + "@redis:port/0"},
		"Redis not encoded":          {"LIVEKIT_REDIS_URL": "redis://:1/" + s + "@redis:6379/0"},
		"Redis not encoded 2":        {"LIVEKIT_REDIS_URL": "redis://:1#" + s + "@redis:6379/0"},
		"Redis bad escape":           {"LIVEKIT_REDIS_URL": "redis://:%zz" + s + "@redis:6379/0"},
		"Redis and an option":        {"LIVEKIT_REDIS_URL": "redis://:" + s + "@redis:6379/0?cluster=true&addr=b:1&client_name=" + s},
		"Sentinels":                  {"LIVEKIT_REDIS_URL": "redis://" + s + ":" + s + "@s1:26379?master_name=mymaster&password=" + s + "&username=" + s},
		"a wrong master_name":        {"LIVEKIT_REDIS_URL": "redis://s1:26379?master_name=<" + s},
		"Sentinels and a cluster":    {"LIVEKIT_REDIS_URL": "redis://:" + s + "@s1:26379?master_name=mymaster&cluster=true"},
		"Redis without cluster":      {"LIVEKIT_REDIS_URL": "redis://:" + s + "@redis:6379/1?cluster=true&addr=" + s},
		"Redis' password in a file":  {"LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/other"},
		"password instead of a file": {"LIVEKIT_REDIS_PASSWORD_FROM_FILE": s},
		"URL instead of a store":     {"LIVEKIT_REDIS_URL": "", "LIVEKIT_STORE": "redis://:" + s},
		"password in the SFU's URL":  {"LIVEKIT_URL": "wss://user:" + s + "@sfu.example.org"},
		"password in a broken URL":   {"LIVEKIT_URL": "wss://user:" + s + "@sfu example", "LIVEKIT_INTERNAL_URL": "user:" + s + "@sfu"},
		"password in an override":    {"LIVEKIT_CS_API_URL_OVERRIDES": "example.org=https://u:" + s + "@h b.org:https://u:" + s + "@h"},
		"comma in a password":        {"LIVEKIT_CS_API_URL_OVERRIDES": "example.org=https://admin:" + s + ",Pw=" + s + ",pw@h"},
		"comma in a query":           {"LIVEKIT_CS_API_URL_OVERRIDES": "example.org=https://h?token=a," + s},
		"password in a list":         {"LIVEKIT_FULL_ACCESS_HOMESERVERS": "https://u:" + s + "@h"},
		"token in a query":           {"LIVEKIT_INTERNAL_URL": "https://sfu.example.org?token=" + s},
		"broken key file":            {"LIVEKIT_KEY_FILE": "/broken"},
		"broken registration":        {"LIVEKIT_AS_REGISTRATION_FILE": "/registration"},
		"registration of a type":     {"LIVEKIT_AS_REGISTRATION_FILE": "/typed"},
		"certificates":               {"LIVEKIT_CA_FILE": "/other"},
		"token of an account":        {"LIVEKIT_AS_TOKEN": "", "LIVEKIT_HS_TOKEN": "", "LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/other"},
		"more than a token":          {"LIVEKIT_AS_TOKEN": "", "LIVEKIT_HS_TOKEN": "", "LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/broken"},
		"token instead of its path":  {"LIVEKIT_AS_TOKEN": "", "LIVEKIT_HS_TOKEN": "", "LIVEKIT_MEMBERSHIP_TOKEN_FILE": s},
	}
	files := disk{
		"/long": strings.Repeat(s, 5), "/swapped": strings.Repeat(s, 5) + ": APIkey", "/other": s,
		"/broken": "k:\n" + s, "/registration": "as_token: a: " + s, "/typed": "as_token: [" + s + "]\nhs_token: {" + s + ": 1}",
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			in := complete.with(set).input()
			c, warnings, err := config.Parse(in, files.read)
			for how, out := range outputs(c, in, warnings, err) {
				if strings.Contains(out, s) {
					t.Errorf("%s: %s shows a secret: got %s, want no %q in it", name, how, out, s)
				}
			}
		})
	}
}

// TestSecretVariables checks that no output of a configuration shows the value
// of a variable that the table calls secret.
func TestSecretVariables(t *testing.T) {
	set := minimal().with(vars{"LIVEKIT_REDIS_URL": "redis://redis", "LIVEKIT_HS_SERVER_NAME": "example.org"})
	secrets := vars{}
	for _, v := range config.Variables() {
		if v.Secret {
			secrets[v.Name] = "hunter2-" + goodSecret + v.Name
		}
	}
	in := set.with(secrets).input()
	c, warnings, err := config.Parse(in, disk{}.read)
	if err != nil || len(secrets) == 0 {
		t.Fatalf("got %v with %d secrets, want some, and no error", err, len(secrets))
	}
	for name := range secrets {
		if got := printed(t, c)[name]; got != "[redacted]" {
			t.Errorf("%s=%s, want [redacted]", name, got)
		}
	}
	for how, out := range outputs(c, in, warnings, err) {
		if strings.Contains(out, "hunter2") {
			t.Errorf("%s shows a secret: got %s, want no hunter2 in it", how, out)
		}
	}
}

func TestSummary(t *testing.T) {
	c, _, err := config.Parse(minimal().with(vars{"LIVEKIT_RATE_LIMIT": "off"}).input(), disk{}.read)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "config", c)
	for _, want := range []string{
		"config.livekit_url=wss://sfu.example.org", "config.api_url=https://sfu.example.org", "config.keys=APIkey",
		"config.full_access=example.org", "config.remote_can_publish=*", "config.listen=:8080", "config.rate_limit=off",
		"config.delegation=on", "config.store=file:/data/leaves.db",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("summary: got %s, want %s in it", &out, want)
		}
	}
}
