package testpage

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestWordsAreTrue checks that the text of a verdict contains the values of the
// deployment. For a value that the page cannot know, the text must name the setting in
// livekit.yaml.
func TestWordsAreTrue(t *testing.T) {
	const (
		udp      = `{protocol:"udp",address:"203.0.113.7",port:30012},{protocol:"udp",address:"2001:db8::7",port:30044}`
		mux      = `{protocol:"udp",address:"203.0.113.7",port:7882},{protocol:"udp",address:"2001:db8::7",port:7882}`
		tcp      = `{protocol:"tcp",address:"203.0.113.7",port:7991}`
		ownHost  = `{url:"wss://sfu.example.org",port:"7890"}`
		withPath = `{url:"wss://matrix.example.org:8443/livekit/sfu/"}`
	)
	tests := map[string]struct{ id, ticket, offered, relays, want string }{
		"a range": {"no-media", ownHost, udp + "," + tcp, "",
			"Publish and forward LiveKit's ports: the UDP ports in livekit.yaml (rtc.port_range_start–port_range_end), and 7991/tcp. Open them in the firewall."},
		"one port": {"only-tcp", ownHost, mux, "",
			"Publish the UDP ports in livekit.yaml (7882/udp), forward them in the router, and open them in the firewall."},
		"nothing offered": {"no-media", ownHost, "", "",
			"Publish and forward LiveKit's ports: the UDP ports in livekit.yaml (rtc.port_range_start–port_range_end), and rtc.tcp_port/tcp. Open them in the firewall."},
		"LiveKit at a port of its own": {"sfu-no-route", ownHost, "", "",
			"Make the proxy forward requests for https://sfu.example.org to LiveKit: http://127.0.0.1:7890/ (in nginx with the slash at its end, so that nginx removes the prefix)."},
		"below a path": {"sfu-no-route", withPath, "", "",
			"Make the proxy forward requests for https://matrix.example.org:8443/livekit/sfu to LiveKit: http://127.0.0.1:<port>/ (in nginx with the slash at its end, so that nginx removes the prefix)."},
		"TCP that is blocked": {"tcp-closed", ownHost, tcp, "",
			"Publish 7991 in compose.yaml, forward 7991/tcp in the router, and open that port in the firewall."},
		"no TCP": {"tcp-none", ownHost, udp, "",
			"Set rtc.tcp_port to 7881 in livekit.yaml, publish 7881 in compose.yaml, and forward 7881/tcp in the router."},
		"a relay": {"relay-closed", ownHost, "", `"turns:turn.example.org:443?transport=tcp","turn:turn.example.org:3479?transport=udp"`,
			"Forward 3479/udp. Publish and forward the relay ports, too (UDP: turn.relay_range_start and relay_range_end in livekit.yaml), and check that no other program uses them."},
		"a relay over TLS alone": {"relay-closed", ownHost, "", `"turns:turn.example.org:443?transport=tcp"`,
			"Forward 443/tcp. Publish and forward the relay ports, too (UDP: turn.relay_range_start and relay_range_end in livekit.yaml), and check that no other program uses them."},
	}
	expressions := map[string]string{}
	for name, test := range tests {
		expressions[name] = `fill(verdicts["` + test.id + `"].en.remedy, placeholders("` + test.id + `", ` + test.ticket + `, {offered: [` + test.offered + `], relays: [` + test.relays + `]}))`
	}
	texts := evaluateAll(t, expressions)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got string
			if err := json.Unmarshal([]byte(texts[name]), &got); err != nil || got != test.want {
				t.Errorf("%s, %s:\ngot  %s\nwant %s", test.id, test.offered, got, test.want)
			}
		})
	}
	relay := evaluate(t, `[["turn:[2001:db8::7]:3478?transport=udp"], ["turn:turn.example.org"]].map((relays) =>
		fill(verdicts["relay-closed"].en.why, placeholders("relay-closed", {url: "wss://sfu.example.org"}, {offered: [], relays})))`)
	if want := `["The TURN server [2001:db8::7] answers, but gives clients no relay address.","The TURN server turn.example.org answers, but gives clients no relay address."]`; !same(t, relay, want) {
		t.Errorf("the relay is told as %s, want %s", relay, want)
	}
}

// TestWordsAreWhole checks that each placeholder in the text of a verdict gets a value,
// in both languages.
func TestWordsAreWhole(t *testing.T) {
	const expression = `Object.entries(verdicts).flatMap(([id, v]) => ["en", "de"].flatMap((language) => ["says", "why", "remedy"].flatMap((part) =>
		fill(v[language][part], placeholders(id, {url: "wss://sfu.example.org"}, {offered: [], relays: []})).match(/\{\w+\}|undefined|null/g) ?? [])))`
	if got := evaluate(t, expression); got != "[]" {
		t.Errorf("placeholders in the texts: got %s, want none", got)
	}
}

// TestRemarks checks which remarks the page adds for steps that ended with a warning.
func TestRemarks(t *testing.T) {
	tests := map[string]string{
		`{}`: `[]`,
		`{resume:{mark:"ok"},tcp:{mark:"none"},relay:{mark:"ok"},clock:{mark:"ok"}}`:                        `[]`,
		`{resume:{mark:"warn"},tcp:{mark:"warn",detail:"noMedia"},relay:{mark:"warn"},clock:{mark:"warn"}}`: `["no-return","tcp-closed","relay-closed","clock-off"]`,
		`{tcp:{mark:"warn",detail:"noTCPOffer"}}`:                                                           `["tcp-none"]`,
	}
	values := evaluateAll(t, calls("remarks", slices.Collect(maps.Keys(tests))))
	for results, want := range tests {
		t.Run(results, func(t *testing.T) {
			if got := values[results]; !same(t, got, want) {
				t.Errorf("remarks(%s) = %s, want %s", results, got, want)
			}
		})
	}
}

// TestJudge checks how the page chooses its verdict from the results of the steps. If
// media is missing, the verdict also depends on the addresses that LiveKit offers.
func TestJudge(t *testing.T) {
	failed := `{media:{mark:"fail",detail:"noMedia"}}`
	tests := []struct{ results, cause, offered, want string }{
		{`{}`, `"websocket-headers"`, `[]`, "websocket-headers"},
		{`{}`, `undefined`, `[]`, "join-refused"},
		{failed, `undefined`, `[]`, "no-candidates"},
		{failed, `undefined`, `[{address:"172.18.0.3"},{address:"172.31.0.3"}]`, "docker-candidates"},
		{failed, `undefined`, `[{address:"172.18.0.3"},{address:"192.168.1.3"},{address:"fd00::3"}]`, "private-candidates"},
		{failed, `undefined`, `[{address:"192.168.1.3"},{address:"203.0.113.7"}]`, "no-media"},
		{failed, `undefined`, `[{address:"172.32.0.1"}]`, "no-media"},
		{`{media:{mark:"fail",detail:"noFrames"}}`, `undefined`, `[]`, "no-picture"},
		{`{media:{mark:"fail",data:{way:"tcp"}}}`, `undefined`, `[]`, "only-tcp"},
		{`{media:{mark:"fail",data:{way:"relay"}}}`, `undefined`, `[]`, "only-relay"},
		{`{media:{mark:"warn",data:{way:"udp"}}}`, `undefined`, `[]`, "udp-lossy"},
		{`{media:{mark:"ok",data:{way:"udp"}}}`, `undefined`, `[]`, "udp"},
	}
	judge := make([]string, len(tests))
	expressions := map[string]string{}
	for i, test := range tests {
		judge[i] = "judge(" + test.results + ", " + test.cause + ", " + test.offered + ")"
		expressions[judge[i]] = judge[i]
	}
	verdicts := evaluateAll(t, expressions)
	for i, test := range tests {
		t.Run(judge[i], func(t *testing.T) {
			if got := verdicts[judge[i]]; got != `"`+test.want+`"` {
				t.Errorf("%s = %s, want %s", judge[i], got, test.want)
			}
		})
	}
}

// TestReportHidesSecrets checks that the report contains no token and no whole IP
// address, whatever the library logs.
func TestReportHidesSecrets(t *testing.T) {
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZXN0ZXItMSJ9.abc-DEF_123"
	tests := map[string]string{
		"wss://sfu.example.org/rtc?access_token=" + token + "&x=1": "wss://sfu.example.org/rtc?access_token=…&x=1",
		"http://192.0.2.14:7880/":                                  "http://192.0.…:7880/",
		"https://[2001:db8:1:2::7]:7880":                           "https://[2001:db8:…]:7880",
		"from ::ffff:192.0.2.14 and ::1":                           "from ::… and ::…",
		"fe80::1%eth0, 2001:db8:1:2:3:4:5:6":                       "fe80::…%eth0, 2001:db8:…",
		"wss://sfu.example.org:8443/livekit/sfu":                   "wss://sfu.example.org:8443/livekit/sfu",
		"7881, rtc.tcp_port, port_range_start–port_range_end":      "7881, rtc.tcp_port, port_range_start–port_range_end",
	}
	expressions := map[string]string{}
	for text := range tests {
		quoted, _ := json.Marshal(text)
		expressions[text] = "redact(" + string(quoted) + ")"
	}
	values := evaluateAll(t, expressions)
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			if got := values[text]; !strings.Contains(got, `"`+want+`"`) {
				t.Errorf("redact(%s) = %s, want %s", text, got, want)
			}
		})
	}
	report := evaluate(t, `reportOf({says: "Says.", why: "", remedy: "Remedy.", lines: ["✓ step"], version: "2", agent: "Browser 128.0.0.0", ticket: {name: "tester-1"},
		offered: [{protocol: "udp", address: "203.0.113.7", port: 20001}, {protocol: "tcp", address: "2001:db8:1:2::7", port: 7881}]})`)
	for _, whole := range []string{"203.0.113.7", "2001:db8:1"} {
		if strings.Contains(report, whole) {
			t.Errorf("the report: got %s, want no whole address %s", report, whole)
		}
	}
	for _, wanted := range []string{"Says.", "Remedy.", "✓ step", "udp 203.0.…:20001, tcp 2001:db8:…:7881", "tester-1", "Browser 128.0.0.0"} {
		if !strings.Contains(report, wanted) {
			t.Errorf("the report: got %s, want %q in it", report, wanted)
		}
	}
}

// TestMediaTellsPair checks what the page says about the pair of addresses that media
// uses. It must show the kind of this device's address, and LiveKit's port. In some
// browsers, the statistics of the transport name the pair. In other browsers, the
// statistics of the pair have a mark.
func TestMediaTellsPair(t *testing.T) {
	const (
		ends      = `{type:"local-candidate",id:"L",candidateType:"srflx",protocol:"udp"},{type:"remote-candidate",id:"R",candidateType:"host",protocol:"udp",address:"203.0.113.7",port:30012}`
		pair      = `{type:"candidate-pair",id:"P",localCandidateId:"L",remoteCandidateId:"R",currentRoundTripTime:0.0241`
		transport = `{type:"transport",id:"T",selectedCandidatePairId:"P"}`
		want      = `"over UDP (srflx → :30012), IPv4, 24 ms, 0.5 % lost, 600 kbit/s up, 580 kbit/s down"`
	)
	for browser, report := range map[string]string{
		"Chromium": ends + "," + pair + "}," + transport,
		"Firefox":  ends + "," + pair + ",selected:true}",
	} {
		t.Run(browser, func(t *testing.T) {
			got := evaluate(t, `wordsIn("en").details.media({...read(new Map([`+report+`].map((s) => [s.id, s]))).pair, loss: 0.5, up: 600, down: 580})`)
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestKeyOf checks that the page sends everything after the # in the link as the key.
// The service decides whether the key is valid.
func TestKeyOf(t *testing.T) {
	tests := map[string]string{"": "", "#": "", "#abc": "abc", "#abc%20": "abc", "#%": "%", "#%E0%A4%A": "%E0%A4%A"}
	expressions := map[string]string{}
	for hash := range tests {
		expressions[hash] = `keyOf({hash: "` + hash + `"})`
	}
	values := evaluateAll(t, expressions)
	for hash, want := range tests {
		t.Run(fmt.Sprintf("%q", hash), func(t *testing.T) {
			if got := values[hash]; got != `"`+want+`"` {
				t.Errorf("keyOf(%s) = %s, want %q", hash, got, want)
			}
		})
	}
}

// TestLanguageOf checks that the page uses the first of the browser's languages in
// which it has texts.
func TestLanguageOf(t *testing.T) {
	tests := map[string]string{`["de-AT","en"]`: "de", `["fr","de","en"]`: "de", `["en-GB","de"]`: "en", `["fr"]`: "en", `[]`: "en", `["DE"]`: "de"}
	values := evaluateAll(t, calls("languageOf", slices.Collect(maps.Keys(tests))))
	for languages, want := range tests {
		t.Run(languages, func(t *testing.T) {
			if got := values[languages]; got != `"`+want+`"` {
				t.Errorf("languageOf(%s) = %s, want %q", languages, got, want)
			}
		})
	}
}
