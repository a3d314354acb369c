package appservice_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/appservice"
)

func parse(t *testing.T, text string) appservice.Registration {
	t.Helper()
	r, err := appservice.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newOne(t *testing.T, push bool) appservice.Registration {
	return appservice.New(appservice.Wish{Server: matrixtest.ServerName(t, "example.org"), URL: "http://matrixrtc-auth:8080", Push: push})
}

func TestANewRegistrationHasTheKeysThatSynapseReads(t *testing.T) {
	text := string(newOne(t, false).Text())
	for _, line := range []string{
		`(?m)^id: matrixrtc-auth$`,
		`(?m)^as_token: "?[0-9a-f]{64}"?$`,
		`(?m)^hs_token: "?[0-9a-f]{64}"?$`,
		`(?m)^sender_localpart: matrixrtc-auth$`,
		`(?m)^url: null$`,
		`(?m)^rate_limited: false$`,
		`(?m)^ +- exclusive: false$`,
		`(?m)^ +regex: \^@\.\*:example\\\.org\$$`,
		`(?m)^io\.element\.msc4502\.scopes:\n +- urn:matrix:client:io\.element\.msc4502:rooms:is_joined$`,
		`(?m)^io\.element\.msc4512\.proxy_prefix: rtc/livekit$`,
		`(?m)^io\.element\.msc4512\.proxy_url: http://matrixrtc-auth:8080$`,
	} {
		if !regexp.MustCompile(line).MatchString(text) {
			t.Errorf("want a line that matches %s, got\n%s", line, text)
		}
	}
	if got := string(newOne(t, true).Text()); !strings.Contains(got, "\nurl: http://matrixrtc-auth:8080\n") {
		t.Errorf("with pushes: want a url, got\n%s", got)
	}
}

func TestANewRegistrationHasNoFault(t *testing.T) {
	for _, name := range []string{"example.org", "localhost:18448", "127.0.0.2:28448", "[::1]:38448", "a-b.c"} {
		t.Run(name, func(t *testing.T) {
			server := matrixtest.ServerName(t, name)
			r := appservice.New(appservice.Wish{Server: server, URL: "https://rtc.example.org"})
			if got := parse(t, string(r.Text())).Lint(server); len(got) > 0 {
				t.Errorf("got the findings %v, want none", got)
			}
		})
	}
}

func TestTokensAreDrawnAndKept(t *testing.T) {
	first, second := newOne(t, false), newOne(t, false)
	if first.ASToken.Equal(second.ASToken) || first.HSToken.Equal(second.HSToken) || first.ASToken.Equal(first.HSToken) {
		t.Error("four fresh tokens: got two that are equal, want none")
	}
	kept := second.KeepTokens(parse(t, string(first.Text())))
	if !kept.ASToken.Equal(first.ASToken) || !kept.HSToken.Equal(first.HSToken) {
		t.Error("tokens of the old file: got others, want them kept")
	}
	empty := second.KeepTokens(appservice.Registration{})
	if !empty.ASToken.Equal(second.ASToken) || empty.ID != "matrixrtc-auth" {
		t.Error("an empty file: got other tokens, or another id, want those given and the default")
	}
}

// TestSecretsAreNotPrinted checks that neither fmt nor an error prints a secret.
func TestSecretsAreNotPrinted(t *testing.T) {
	r := newOne(t, false)
	token := r.ASToken.Reveal()
	if text := fmt.Sprintf("%v %+v %#v %s", r, r, r, r.Lint(matrixtest.ServerName(t, "other.org"))); strings.Contains(text, token) {
		t.Errorf("fmt prints the as_token: got %s, want no %q in it", text, token)
	}
	broken := strings.Replace(string(r.Text()), "id: matrixrtc-auth", "id: [", 1)
	if _, err := appservice.Parse([]byte(broken)); err == nil || strings.Contains(err.Error(), token) {
		t.Errorf("err = %v, want one that does not quote the file", err)
	}
}

func TestParseFaults(t *testing.T) {
	for name, text := range map[string]string{
		"not YAML":   "a: [",
		"a list":     "- a",
		"wrong type": "id: {a: b}",
		"too large":  strings.Repeat("#", 65<<10),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := appservice.Parse([]byte(text)); err == nil {
				t.Errorf("%.20q: got no error, want one", text)
			}
		})
	}
}

const good = `id: matrixrtc-auth
as_token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
hs_token: hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh
sender_localpart: matrixrtc-auth
url: null
rate_limited: false
namespaces:
  users:
    - exclusive: false
      regex: '^@.*:example\.org$'
io.element.msc4502.scopes: ["urn:matrix:client:io.element.msc4502:rooms:is_joined"]
io.element.msc4512.proxy_prefix: rtc/livekit
io.element.msc4512.proxy_url: http://matrixrtc-auth:8080
`

func TestLint(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		want           string // the severity and the key of each finding, like "wrong url"
	}{
		{"nothing", "", "", ""},
		{"a chart's regex", `'^@.*:example\.org$'`, `'@.*:example.org'`, ""},
		{"a host that ends in a dot", "http://matrixrtc-auth:8080", "http://name.ns.svc.cluster.local.:8080", ""},
		{"a regex of Python alone", `'^@.*:example\.org$'`, `'(?=@).*:example\.org'`, ""},
		{"no id", "id: matrixrtc-auth\n", "", "wrong id"},
		{"no sender", "sender_localpart: matrixrtc-auth\n", "", "wrong sender_localpart"},
		{"a user id as sender", "sender_localpart: matrixrtc-auth", "sender_localpart: '@a:example.org'", "wrong sender_localpart"},
		{"no as_token", "as_token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "", "wrong as_token"},
		{"a short hs_token", "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "h", "doubtful hs_token"},
		{"a token with a space", "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "'hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh '", "wrong hs_token"},
		{"equal tokens", "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "wrong hs_token"},
		{"no url key", "url: null\n", "", "wrong url"},
		{"a url", "url: null", "url: http://matrixrtc-auth:8080", ""},
		{"another url", "url: null", "url: http://elsewhere:8080", "doubtful url"},
		{"a url that is none", "url: null", "url: matrixrtc-auth", "wrong url"},
		{"rate limited", "rate_limited: false\n", "", "doubtful rate_limited"},
		{"rate limited in words", "rate_limited: false", "rate_limited: true", "doubtful rate_limited"},
		{"another server's users", `example\.org`, `example\.com`, "wrong namespaces.users"},
		{"one user", `@.*:`, `@bot:`, "wrong namespaces.users"},
		{"some users", `@.*:`, `@[a-z]+:`, "doubtful namespaces.users"},
		{"exclusive", "exclusive: false", "exclusive: true", "wrong namespaces.users"},
		{"no namespaces", "    - exclusive: false\n      regex: '^@.*:example\\.org$'\n", "    []\n", "wrong namespaces.users"},
		{"the stable scope", "io.element.msc4502:rooms", "rooms", "wrong io.element.msc4502.scopes; wrong io.element.msc4502.scopes"},
		{"one scope more", `["urn`, `["urn:other", "urn`, "wrong io.element.msc4502.scopes"},
		{"no prefix on scopes", "io.element.msc4502.scopes", "scopes", "wrong io.element.msc4502.scopes; wrong scopes"},
		{"a prefix to come", "io.element.msc4512.proxy_prefix", "m.proxy_prefix", "wrong io.element.msc4512.proxy_prefix; wrong m.proxy_prefix"},
		{"another proxy prefix", "rtc/livekit", "rtc", "wrong io.element.msc4512.proxy_prefix"},
		{"a longer proxy prefix", "rtc/livekit", "rtc/livekit/v2", "wrong io.element.msc4512.proxy_prefix"},
		{"no proxy_url", "io.element.msc4512.proxy_url: http://matrixrtc-auth:8080\n", "", "wrong io.element.msc4512.proxy_url"},
		{"a proxy_url without scheme", "http://matrixrtc-auth:8080", "matrixrtc-auth:8080", "wrong io.element.msc4512.proxy_url"},
		{"a proxy_url with a path", ":8080", ":8080/_matrix", "wrong io.element.msc4512.proxy_url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.old != "" && !strings.Contains(good, tt.old) {
				t.Fatalf("got a file without it, want %q in it", tt.old)
			}
			var got []string
			for _, f := range parse(t, strings.Replace(good, tt.old, tt.new, 1)).Lint(matrixtest.ServerName(t, "example.org")) {
				got = append(got, map[appservice.Severity]string{appservice.Wrong: "wrong ", appservice.Doubtful: "doubtful "}[f.Severity]+f.Key)
				if f.Seen == "" || f.Remedy == "" {
					t.Errorf("got %+v, want what is seen and the remedy", f)
				}
			}
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("got %q, want %q", strings.Join(got, "; "), tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("namespaces: {users: [{regex: '('}]}"))
	f.Add([]byte("a: &a [*a]"))
	server := matrixtest.ServerName(f, "example.org")
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := appservice.Parse(text)
		if err != nil {
			return
		}
		r.Lint(server)
		second, err := appservice.Parse(r.Text())
		if err != nil {
			t.Fatalf("%q: what was written does not parse: got %v, want no error", text, err)
		}
		if !same(r, second) {
			t.Errorf("%q: another registration comes back: got %+v, want %+v", text, second, r)
		}
	})
}

// same reports whether two registrations are equal. It ignores HasURL, and keys
// that no homeserver reads.
func same(a, b appservice.Registration) bool {
	limits := func(r appservice.Registration) string {
		return fmt.Sprint(r.RateLimited == nil, r.RateLimited != nil && *r.RateLimited)
	}
	return a.ID == b.ID && a.ASToken.Equal(b.ASToken) && a.HSToken.Equal(b.HSToken) && a.SenderLocalpart == b.SenderLocalpart &&
		a.URL == b.URL && limits(a) == limits(b) && slices.Equal(a.Users, b.Users) && slices.Equal(a.Scopes, b.Scopes) &&
		a.ProxyPrefix == b.ProxyPrefix && a.ProxyURL == b.ProxyURL
}
