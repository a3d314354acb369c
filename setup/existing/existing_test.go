package existing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestInterpolate(t *testing.T) {
	values := map[string]string{"A": "a", "EMPTY": ""}
	for text, want := range map[string]string{
		"$A-${A}-$$A":             "a-a-$A",
		"${B:-x}${EMPTY:-y}":      "xy",
		"${B-x}${A:-y}":           "xa",
		"${B:-${A}/${C:-c}}":      "a/c",
		"${B:?set B}${A:?set A}":  "a",
		"${A:+yes}${B:+no}":       "yes",
		"no variable: 5$ and $ 5": "no variable: 5$ and $ 5",
	} {
		t.Run(text, func(t *testing.T) {
			left := biggest
			if got := interpolate(text, &left, func(name string, _ bool) string { return values[name] }); got != want {
				t.Errorf("%q is %q, want %q", text, got, want)
			}
		})
	}
}

func TestVariablesOfAnEnvFile(t *testing.T) {
	var got []string
	for _, v := range variables(File{".env", []byte("\ufeffA=1\n# B=2\nexport C='three # 3' # why\nD = four # 4\nA=5\nnothing\nE=\n")}) {
		got = append(got, fmt.Sprintf("%s=%s@%d", v.Name, v.Value.Reveal(), v.Line))
	}
	if want := []string{"C=three # 3@3", "D=four@4", "A=5@5", "E=@7"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// judged returns the verdict about files. The map has the content of each file,
// by name.
func judged(t *testing.T, files map[string]string) Verdict {
	t.Helper()
	var list []File
	for name, content := range files {
		list = append(list, File{name, []byte(content)})
	}
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	d, faults := Read(list)
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
	return Judge(d)
}

// found returns the findings whose field What contains a given text. It returns
// them in the form VERB WHAT.
func (v Verdict) found(what string) (list []string) {
	for _, f := range v.Findings {
		if strings.Contains(f.What, what) {
			list = append(list, string(f.Verb)+" "+f.What)
		}
	}
	return list
}

// TestFormsOfCompose checks that setup reads the same values from each form
// that a compose file can have.
func TestFormsOfCompose(t *testing.T) {
	for name, text := range map[string]string{
		"lists": `
services:
  jwt:
    image: ghcr.io/element-hq/lk-jwt-service:1
    ports: ["8090:8080"]
    environment: ["LIVEKIT_URL=wss://sfu.example.org", "LIVEKIT_LOG_LEVEL"]
`,
		"mappings": `
x-env: &env {LIVEKIT_URL: "wss://${SFU}"}
services:
  jwt:
    image: ghcr.io/element-hq/lk-jwt-service:1
    ports: [{target: 8080, published: 8090}]
    environment: {<<: *env, LIVEKIT_LOG_LEVEL: }
`,
		"file": `
services:
  jwt:
    command: [/lk-jwt-service]
    ports: ["127.0.0.1:8090:8080/tcp"]
    env_file: [{path: ./jwt.env}]
`,
	} {
		t.Run(name, func(t *testing.T) {
			v := judged(t, map[string]string{
				"a/compose.yaml": text, "a/.env": "SFU=sfu.example.org\nLIVEKIT_LOG_LEVEL=debug\n",
				"a/jwt.env": "LIVEKIT_URL=wss://sfu.example.org\nLIVEKIT_LOG_LEVEL=debug\n",
			})
			for option, want := range map[string]string{"sfu-host": "sfu.example.org", "jwt-port": "8090"} {
				if got := v.Answers[option]; len(got) != 1 || got[0].Value != want {
					t.Errorf("%s is %v, want %s", option, got, want)
				}
			}
			if len(v.Variables) != 1 || v.Variables[0].Value.Reveal() != "debug" {
				t.Errorf("the variables are %v, want LIVEKIT_LOG_LEVEL", v.Variables)
			}
		})
	}
}

// TestKeys checks which key and secret setup takes over. If LiveKit and the
// service have different keys, setup takes over LiveKit's key. setup takes over
// no pair whose secret is short or publicly known, and no pair in which the key
// and the secret are in each other's place.
func TestKeys(t *testing.T) {
	long, other := strings.Repeat("s", 32), strings.Repeat("o", 32)
	service := func(id, secret string) string { return "LIVEKIT_KEY=" + id + "\nLIVEKIT_SECRET=" + secret + "\n" }
	for name, c := range map[string]struct{ livekit, service, want, finding string }{
		"both":          {"keys: {a: " + long + "}", service("a", long), "a " + long, ""},
		"other secret":  {"keys: {a: " + long + "}", service("a", other), "a " + long, "change the secret of the key a"},
		"other key":     {"keys: {a: " + long + "}", service("b", other), "a " + long, "change the key b of the service"},
		"second key":    {"keys: {x: " + other + ", a: " + long + "}", service("a", long), "a " + long, "drop the key x of LiveKit"},
		"swapped":       {"keys: {" + long + ": short}", "", "", "change the key and its secret"},
		"demo":          {"keys: {devkey: secret}", "", "", "change the key and its secret"},
		"short":         {"keys: {a: short}", "", "", "change the key and its secret"},
		"service alone": {"port: 7880\nrtc: {}", service("a", long), "a " + long, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := judged(t, map[string]string{"livekit.yaml": c.livekit, "jwt.env": c.service + "X=1\n"})
			if got := strings.TrimSpace(v.Pair.ID + " " + v.Pair.Secret.Reveal()); got != c.want {
				t.Errorf("the pair is %q, want %q", got, c.want)
			}
			if got := strings.Join(v.found("key"), "; "); got != c.finding {
				t.Errorf("found %q, want %q", got, c.finding)
			}
			for _, f := range v.Findings {
				if text := fmt.Sprint(f); strings.Contains(text, long) || strings.Contains(text, other) {
					t.Errorf("got the finding %s, want no secret in it", text)
				}
			}
		})
	}
}

// TestTURNOverTLS checks that setup keeps the TURN over TLS of an old
// deployment only if the new deployment can offer it.
func TestTURNOverTLS(t *testing.T) {
	const service = "LIVEKIT_URL=wss://sfu.example.org\n"
	turn := func(rest string) string {
		return "rtc: {}\nturn: {enabled: true, tls_port: 5349, " + rest + "}\n"
	}
	for text, want := range map[string]string{
		"domain: turn.example.org, external_tls: true":          "turn.example.org",
		"domain: sfu.example.org, external_tls: true":           "",
		"external_tls: true":                                    "",
		"domain: turn.example.org, cert_file: /c, key_file: /k": "",
	} {
		t.Run(text, func(t *testing.T) {
			v := judged(t, map[string]string{"livekit.yaml": turn(text), "jwt.env": service})
			got := ""
			if facts := v.Answers["turn-tls"]; len(facts) > 0 {
				got = facts[0].Value
			}
			if dropped := len(v.found("TURN over TLS")) == 1; got != want || dropped != (want == "") {
				t.Errorf("%s: turn-tls is %q, dropped %v, want %q", text, got, dropped, want)
			}
		})
	}
}

// TestExtrasAreNamed checks that there is a finding about each setting of
// livekit.yaml that setup does not write.
func TestExtrasAreNamed(t *testing.T) {
	v := judged(t, map[string]string{"livekit.yaml": `
port: 7890
rtc: {udp_port: 7882, congestion_control: {enabled: true}, stun_servers: ["stun.example.org:3478"]}
room: {auto_create: false, max_participants: 5}
redis: {address: "redis:6379", password: hunter2}
loging: {level: info}
prometheus: {port: 6789}
`})
	for _, want := range []string{
		"change port 7890", "change UDP port 7882, rtc.udp_port", "add rtc.congestion_control to livekit.yaml, if you still need it",
		"add rtc.stun_servers to livekit.yaml, if you still need it", "add room.max_participants to livekit.yaml, if you still need it",
		"add redis to livekit.yaml, if you still need it", "drop loging in livekit.yaml", "add prometheus to livekit.yaml, if you still need it",
	} {
		_, what, _ := strings.Cut(want, " ")
		if got := v.found(what); !slices.Contains(got, want) {
			t.Errorf("got the findings %q, want %q among them", v.found(""), want)
		}
	}
	for _, f := range v.Findings {
		if strings.Contains(fmt.Sprint(f), "hunter2") {
			t.Errorf("got the finding %v, want no secret in it", f)
		}
	}
}

// FuzzRead checks that Read and Judge do not panic, whatever the files contain.
func FuzzRead(f *testing.F) {
	f.Add("services: {livekit: {image: livekit/livekit-server, ports: [\"1:2\", {target: 1}]}}", "keys: {a: b}\nrtc: {}")
	f.Add("services:\n  a: &a\n    <<: *a\n", "A=${B:-$A}\nLIVEKIT_URL=wss://x/rtc\n")
	f.Add("server_name: a\nlisteners: [{resources: {names: federation}}]", `{"m.homeserver": []}`)
	f.Fuzz(func(_ *testing.T, one, two string) {
		d, _ := Read([]File{{"a/compose.yaml", []byte(one)}, {"a/.env", []byte(two)}, {"livekit.yaml", []byte(two)}})
		Judge(d)
	})
}

// TestBigFiles checks that this package refuses or cuts off content that would
// take much time or memory.
func TestBigFiles(t *testing.T) {
	for name, text := range map[string]string{
		"an alias in itself": "services:\n  a: &a {<<: [" + strings.Repeat("*a, ", 50) + "*a], image: livekit/livekit-server}\n",
		"aliases of aliases": "a: &a [1, 1]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\nrtc: [*d, *d, *d, *d, *d, *d, *d, *d, *d]\n",
		"many settings":      "keys:\n" + strings.Repeat("  a: b\n", mostNodes),
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := Read([]File{{"livekit.yaml", []byte(text)}})
			if got := fmt.Sprint(faults); len(faults) != 1 || !strings.Contains(got, "livekit.yaml: the file has more than 10000 settings") {
				t.Errorf("%s: got the faults %q, want one about more than 10000 settings", name, got)
			}
		})
	}
	if got := len(variables(File{".env", []byte(strings.Repeat("A=1\n", 2*mostVariables) + "B=2\n")})); got != 1 {
		t.Errorf("%d variables, want the last A alone", got)
	}
	long, left := strings.Repeat("v", biggest/4), biggest
	if got := len(interpolate(strings.Repeat("${A}", 100), &left, func(string, bool) string { return long })); got != biggest {
		t.Errorf("the text has %d bytes, want %d", got, biggest)
	}
}

// TestOtherEntriesOfTheWellKnownFile checks that there is a finding about each
// entry of the old well-known file that setup does not write. Without such an
// entry people may not be able to log in.
func TestOtherEntriesOfTheWellKnownFile(t *testing.T) {
	v := judged(t, map[string]string{"client.json": `{"m.homeserver": {"base_url": "https://m.example.org"},
"org.matrix.msc2965.authentication": {"issuer": "https://auth.example.org/"}, "m.identity_server": {"base_url": "https://vector.im"},
"org.matrix.msc4143.rtc_foci": [{"type": "livekit", "livekit_service_url": "https://jwt.example.org"}]}`})
	want := []string{"add org.matrix.msc2965.authentication to well-known-client.json", "add m.identity_server to well-known-client.json"}
	if got := v.found("well-known"); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// TestFilesThatAreMissing checks the findings about files of the deployment
// that setup has not read. The findings also say that setup did not take the
// secret over.
func TestFilesThatAreMissing(t *testing.T) {
	v := judged(t, map[string]string{"compose.yaml": `
services:
  livekit:
    image: livekit/livekit-server
    environment: ["LIVEKIT_KEYS=${KEY}: ${SECRET:?none}"]
  jwt:
    image: ghcr.io/element-hq/lk-jwt-service
    env_file: jwt.env
    environment: {LIVEKIT_KEY: "${KEY}", LIVEKIT_SECRET: "${SECRET}", LIVEKIT_LOG_LEVEL: "${LEVEL:-info}"}
`})
	want := []string{
		"add --from with the file that has KEY and SECRET", "add --from jwt.env", "add --from livekit.yaml", "change the key and its secret",
	}
	if got := v.found(""); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("found %q, want %q first", got, want)
	}
}
