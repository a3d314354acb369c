package config_test

import (
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/secret"
)

// vars are the values of variables, by name.
type vars map[string]string

const goodSecret = "0123456789abcdef0123456789abcdef"

// minimal returns the smallest valid set of variables. They cause no warning.
func minimal() vars {
	return vars{
		"LIVEKIT_URL":                     "wss://sfu.example.org",
		"LIVEKIT_KEY":                     "APIkey",
		"LIVEKIT_SECRET":                  goodSecret,
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": "example.org",
	}
}

// vars.with returns a copy of v with the variables of more added. A variable
// with the value "" counts as unset.
func (v vars) with(more vars) vars {
	all := maps.Clone(v)
	maps.Copy(all, more)
	return all
}

// input returns the Input of a machine that has a volume at /data.
func (v vars) input() config.Input {
	in := config.Input{Environment: config.Environment{}, DataWritable: true}
	for name, text := range v {
		in.Environment[name] = secret.New(text)
	}
	return in
}

// disk has the contents of files, by path.
type disk map[string]string

func (d disk) read(name string) ([]byte, error) {
	content, ok := d[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}

func printed(t *testing.T, c config.Config) map[string]string {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(out.String()) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		lines[name] = value
	}
	return lines
}

// faults returns each fault in err. The test fails if err contains anything
// that is not a fault.
func faults(t *testing.T, err error) []config.Fault {
	t.Helper()
	list := config.Faults(err)
	if lines := strings.Count(errorText(err), "\n") + 1; err != nil && len(list) != lines {
		t.Fatalf("%v: got %d faults in %d lines, want one a line", err, len(list), lines)
	}
	return list
}

func TestDefaults(t *testing.T) {
	c, warnings, err := config.Parse(minimal().input(), disk{}.read)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("got the warnings %q and the error %v, want none", warnings, err)
	}
	for name, want := range map[string]string{
		"LIVEKIT_INTERNAL_URL":                   "https://sfu.example.org",
		"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS": "*",
		"LIVEKIT_CAN_UPDATE_OWN_METADATA":        "false",
		"LIVEKIT_TOKEN_TTL":                      "1h",
		"LIVEKIT_OPENID_TIMEOUT":                 "10s",
		"LIVEKIT_JWT_BIND":                       ":8080",
		"LIVEKIT_METRICS_BIND":                   "",
		"LIVEKIT_ALLOWED_NETWORKS":               "",
		"LIVEKIT_CLIENT_ADDRESS":                 "x-forwarded-for",
		"LIVEKIT_RATE_LIMIT":                     "60/min,burst=30",
		"LIVEKIT_SHUTDOWN_DELAY":                 "0s",
		"LIVEKIT_TEST_PAGE":                      "on",
		"LIVEKIT_LOG_LEVEL":                      "info",
		"LIVEKIT_LOG_FORMAT":                     "text",
		"LIVEKIT_DELEGATION":                     "on",
		"LIVEKIT_STORE":                          "file:/data/leaves.db",
		"LIVEKIT_REDIS_URL":                      "",
		"LIVEKIT_REDIS_PREFIX":                   "",
		"LIVEKIT_MAX_JOBS":                       "200000",
		"LIVEKIT_MAX_JOBS_PER_USER":              "100",
		"LIVEKIT_RECONNECT_GRACE":                "1s",
		"LIVEKIT_DELAYED_EVENT_RATE":             "10/s",
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS":  "60",
	} {
		t.Run(name, func(t *testing.T) {
			if got := printed(t, c)[name]; got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		})
	}
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "10.1.2.3": true, "172.31.0.1": true, "192.168.1.1": true, "169.254.1.1": true, "::1": true, "fd00::1": true, "fe80::1": true,
		"100.64.0.1": true, "100.127.255.255": true, "100.63.255.255": false, "100.128.0.0": false, "1.1.1.1": false, "2606:4700::1": false,
	} {
		t.Run(addr, func(t *testing.T) {
			within := func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(addr)) }
			if got := slices.ContainsFunc(c.TrustedProxies, within); got != want {
				t.Errorf("a proxy at %s is trusted: %t, want %t", addr, got, want)
			}
		})
	}
	if c.RootCAs != nil || c.AppService != nil || c.InsecureSkipVerifyTLS {
		t.Errorf("unset variables: got %+v, want no effect", c)
	}
}

func TestEmptyIsUnset(t *testing.T) {
	empty := vars{}
	for i, v := range config.Variables() {
		empty[v.Name] = []string{"", " \t\n", "\ufeff"}[i%3]
	}
	want, _, _ := config.Parse(minimal().input(), disk{}.read)
	got, warnings, err := config.Parse(empty.with(minimal()).input(), disk{}.read)
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %q, %v, want %+v", got, warnings, err, want)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	broken := vars{
		"LIVEKIT_URL":                           "sfu.example.org",
		"LIVEKIT_KEY":                           "APIkey",
		"LIVEKIT_TOKEN_TTL":                     "3600",
		"LIVEKIT_CS_API_URL_OVERRIDES":          "example.org=matrix.example.org,other.org",
		"LIVEKIT_ALLOWED_NETWORKS":              "10.0.0.0/33",
		"LIVEKIT_CA_FILE":                       "/absent",
		"LIVEKIT_JWT_BIND":                      ":8080",
		"LIVEKIT_JWT_PORT":                      "8080",
		"LIVEKIT_RATE_LIMIT":                    "60",
		"LIVEKIT_AS_TOKEN":                      goodSecret,
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "1m",
		"LIVEKIT_REDIS_URL":                     "redis://",
		"LIVEKIT_REDIS_PASSWORD_FROM_FILE":      "/absent",
		"LIVEKIT_REDIS_PREFIX":                  "{a}",
		"LIVEKIT_STORE":                         "disk",
		"LIVEKIT_DELEGATION":                    "maybe",
		"LIVEKIT_MAX_JOBS":                      "0",
		"LIVEKIT_MAX_JOBS_PER_USER":             "-1",
		"LIVEKIT_RECONNECT_GRACE":               "1",
		"LIVEKIT_DELAYED_EVENT_RATE":            "0",
		"LIVEKIT_LOG_LEVEL":                     "debug",
		"LIVEKIT_LOG_FORMAT":                    "json",
	}
	c, _, err := config.Parse(broken.input(), disk{}.read)
	if want := (config.Config{LogLevel: slog.LevelDebug, LogJSON: true}); !reflect.DeepEqual(c, want) {
		t.Errorf("with faults the Config is %+v, want how to log alone", c)
	}
	var named []string
	for _, f := range faults(t, err) {
		named = append(named, f.Variable)
	}
	want := []string{
		"LIVEKIT_URL", "LIVEKIT_SECRET", "LIVEKIT_FULL_ACCESS_HOMESERVERS", "LIVEKIT_TOKEN_TTL",
		"LIVEKIT_CS_API_URL_OVERRIDES", "LIVEKIT_CS_API_URL_OVERRIDES", "LIVEKIT_ALLOWED_NETWORKS", "LIVEKIT_CA_FILE",
		"LIVEKIT_JWT_BIND", "LIVEKIT_RATE_LIMIT", "LIVEKIT_DELEGATION",
		"LIVEKIT_REDIS_PASSWORD_FROM_FILE", "LIVEKIT_REDIS_URL", "LIVEKIT_REDIS_PREFIX", "LIVEKIT_STORE",
		"LIVEKIT_MAX_JOBS", "LIVEKIT_MAX_JOBS_PER_USER",
		"LIVEKIT_RECONNECT_GRACE", "LIVEKIT_DELAYED_EVENT_RATE", "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS",
		"LIVEKIT_HS_SERVER_NAME", "LIVEKIT_HS_TOKEN",
	}
	if !slices.Equal(named, want) {
		t.Errorf("faults of %q\nwant %q", named, want)
	}
}

func TestVariables(t *testing.T) {
	c, _, err := config.Parse(minimal().input(), disk{}.read)
	if err != nil {
		t.Fatal(err)
	}
	lines := printed(t, c)
	seen, groups := map[string]bool{}, map[config.Group]bool{}
	var last config.Group
	for _, v := range config.Variables() {
		if v.Name == "" || v.Meaning == "" || seen[v.Name] || strings.Contains(v.Meaning, "|") {
			t.Errorf("got %+v, want a row of a table: a name that was not there, and a meaning", v)
		}
		if v.Group != last && groups[v.Group] || v.Group == "" || config.GroupOf(v.Name) != v.Group {
			t.Errorf("%s: got the group %q, want it beside the others of its group", v.Name, v.Group)
		}
		seen[v.Name], groups[v.Group], last = true, true, v.Group
		_, shown := lines[v.Name]
		if instead := strings.Contains(v.Meaning, "old name of") || v.Name == "LIVEKIT_JWT_PORT"; shown == instead {
			t.Errorf("%s: printed %t, want %t", v.Name, shown, !instead)
		}
	}
	for name := range lines {
		if !seen[name] {
			t.Errorf("%s, which is printed: got no description, want one", name)
		}
	}
}
