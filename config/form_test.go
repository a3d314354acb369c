package config_test

import (
	"maps"
	"slices"
	"testing"

	"matrixrtc-auth/config"
)

// samples has, for each form, values that the form accepts and values that it
// refuses. For a refused value there must be a fault or a warning about the
// variable. A form for any text refuses nothing.
var samples = map[config.Form]struct{ takes, refuses []string }{
	config.FormText:     {takes: []string{"APIkey"}},
	config.FormSecret:   {takes: []string{goodSecret + goodSecret}},
	config.FormPath:     {refuses: []string{"/nowhere"}},
	config.FormURL:      {[]string{"wss://sfu.example.org", "ws://127.0.0.1:7880", "https://example.org/livekit/sfu", "HTTP://127.0.0.1"}, []string{"sfu.example.org", "ftp://sfu.example.org", "wss://user@sfu.example.org", "wss://sfu.example.org?a=b"}},
	config.FormURLs:     {[]string{"wss://a.example.org,https://b.example.org", "wss://a.example.org wss://b.example.org"}, []string{"a.example.org", "wss://a.example.org;wss://b.example.org"}},
	config.FormServer:   {[]string{"example.org", "example.org:8448"}, []string{"https://example.org", "@alice:example.org"}},
	config.FormServers:  {[]string{"example.org", "example.org,example.com example.net"}, []string{"*,example.org", "https://example.org", ","}},
	config.FormServerAt: {[]string{"example.org=http://synapse:8008", "a.org=https://a.example.org,b.org=http://b b.net=http://c"}, []string{"http://synapse:8008", "example.org=synapse:8008", "example.org=wss://synapse"}},
	config.FormNetworks: {[]string{"10.0.0.0/8", "10.1.2.3 fd00::/8,192.0.2.1"}, []string{"10.0.0.0/33", "example.org", "none"}},
	config.FormProxies:  {[]string{"10.0.0.0/8", "10.1.2.3 fd00::/8", "None"}, []string{"10.0.0.0/33", "example.org", "10.0.0.0/8,none"}},
	config.FormHeader:   {[]string{"X-Real-IP", "cf-connecting-ip"}, []string{"x real ip", "Forwarded", "User-Agent"}},
	config.FormSwitch:   {[]string{"on", "true", "yes", "1", "OFF", "False", "no", "0"}, []string{"enabled", "2"}},
	config.FormConsent:  {[]string{"YES_I_KNOW_WHAT_I_AM_DOING"}, []string{"yes", "true", "yes_i_know_what_i_am_doing"}},
	config.FormDuration: {[]string{"1m", "60s"}, []string{"60", "1 minute", "-1s", "8760h"}},
	config.FormSeconds:  {[]string{"0", "60", "86400"}, []string{"60s", "86401", "-1", "0.5"}},
	config.FormCount:    {[]string{"1", "1000000"}, []string{"0", "1000001", "1,000", "-1"}},
	config.FormPort:     {[]string{"1", "65535"}, []string{"0", "65536", ":8080"}},
	config.FormBind:     {[]string{":8090", "127.0.0.1:8090", "[::1]:8090", "localhost:8090", "unix:/run/a.sock"}, []string{"8090", "::1:8090", "unix:a.sock", ":65536"}},
	config.FormLimit:    {[]string{"1/min", "60/min,burst=1", "1000000/min", "OFF"}, []string{"60", "0/min", "60/s", "60/min,30", "1000001/min"}},
	config.FormRate:     {[]string{"0.1", "10", "0.5/s", "10000/s", "Off"}, []string{"0", "0.05", "10001", "10/min", "NaN"}},
	config.FormLevel:    {[]string{"debug", "INFO", "warn", "error"}, []string{"verbose"}},
	config.FormLog:      {[]string{"text", "JSON"}, []string{"xml"}},
	config.FormStore:    {[]string{"memory", "file:/data/leaves.db"}, []string{"disk", "file:leaves.db", "file:/data/"}},
	config.FormRedis:    {[]string{"redis://redis:6379/0", "rediss://redis", "unix:///run/redis.sock"}, []string{"redis:6379", "http://redis:6379"}},
	config.FormPrefix:   {[]string{"a", "matrix:rtc/"}, []string{"a b", "{a}", "ä", goodSecret + goodSecret + "x"}},
	config.FormWho:      {[]string{"off", "Local", "on"}, []string{"true", "everyone"}},
	config.FormUnseen:   {[]string{"deny", "ALLOW"}, []string{"on", "refuse"}},
}

// narrower maps a variable to valid values. Such a variable accepts fewer values than
// other variables of the same form (see [config.Form]).
var narrower = map[string][]string{"LIVEKIT_OPENID_TIMEOUT": {"1s", "20s"}}

// besides maps a variable to other variables that a test must set, because
// otherwise the program does not read the variable. The value "" means that the
// test unsets a variable.
var besides = map[string]vars{
	"LIVEKIT_FULL_ACCESS_HOMESERVERS":  {},
	"LIVEKIT_LOCAL_HOMESERVERS":        {"LIVEKIT_FULL_ACCESS_HOMESERVERS": ""},
	"LIVEKIT_REDIS_PASSWORD":           {"LIVEKIT_REDIS_URL": "redis://redis:6379"},
	"LIVEKIT_REDIS_PREFIX":             {"LIVEKIT_REDIS_URL": "redis://redis:6379"},
	"LIVEKIT_AS_TOKEN":                 {"LIVEKIT_HS_TOKEN": goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"},
	"LIVEKIT_HS_TOKEN":                 {"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"},
	"LIVEKIT_HS_SERVER_NAME":           {"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": "x" + goodSecret},
	"LIVEKIT_REQUIRE_MEMBERSHIP":       {"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": "x" + goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"},
	"LIVEKIT_MEMBERSHIP_UNKNOWN":       {"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/token", "LIVEKIT_HS_SERVER_NAME": "example.org"},
	"LIVEKIT_REDIS_PASSWORD_FROM_FILE": {"LIVEKIT_REDIS_URL": "redis://redis:6379"},
	"LIVEKIT_MEMBERSHIP_TOKEN_FILE":    {"LIVEKIT_HS_SERVER_NAME": "example.org"},
	"LIVEKIT_AS_REGISTRATION_FILE":     {"LIVEKIT_HS_SERVER_NAME": "example.org"},
}

// unfit are the kinds of warnings about a value that the program does not use.
var unfit = []config.Kind{config.UnknownValue, config.NotServerName}

// TestForms checks that each variable accepts the values that fit its form, and
// refuses the others.
func TestForms(t *testing.T) {
	for _, v := range config.Variables() {
		sample, known := samples[v.Form]
		if !known {
			t.Errorf("%s: got no sample of the form %q, want one", v.Name, v.Form)
			continue
		}
		takes := sample.takes
		if own := narrower[v.Name]; own != nil {
			takes = own
		}
		for _, text := range takes {
			t.Run(v.Name+"="+text, func(t *testing.T) {
				if said := objections(t, v.Name, text); len(said) > 0 {
					t.Errorf("%s takes %s, but: got %q, want 0", v.Name, v.Form, said)
				}
			})
		}
		for _, text := range sample.refuses {
			t.Run(v.Name+"="+text, func(t *testing.T) {
				if said := objections(t, v.Name, text); len(said) == 0 {
					t.Errorf("%s takes %s, and nothing is said about this value: got none, want some", v.Name, v.Form)
				}
			})
		}
	}
}

// objections returns the faults about a value of a variable. It also returns the
// warnings about it whose kinds are in the list unfit.
func objections(t *testing.T, name, text string) (said []string) {
	t.Helper()
	given := minimal().with(besides[name]).with(vars{name: text})
	maps.DeleteFunc(given, func(_, text string) bool { return text == "" })
	_, warnings, err := config.Parse(given.input(), disk{"/token": "syt_token"}.read)
	for _, fault := range faults(t, err) {
		if fault.Variable == name {
			said = append(said, fault.Problem)
		}
	}
	for _, warning := range warnings {
		if warning.Variable == name && slices.Contains(unfit, warning.Kind) {
			said = append(said, warning.Text)
		}
	}
	return said
}
