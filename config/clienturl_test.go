package config_test

import (
	"net/url"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestClientURL checks the warnings about a LIVEKIT_URL that clients cannot
// use. Each warning says what to write. An address for a trial on one machine
// causes no warning.
func TestClientURL(t *testing.T) {
	const inside, own, clear, fine = config.InsideOnly, config.OwnNetwork, config.ClearText, config.Kind("")
	const internal = "LIVEKIT_INTERNAL_URL"
	for text, want := range map[string]struct {
		kind  config.Kind
		words string
	}{
		"wss://sfu.example.org":               {fine, ""},
		"wss://sfu.example.org.":              {fine, ""},
		"wss://SFU.Example.ORG:443/livekit":   {fine, ""},
		"wss://sfu.example.local.example.org": {fine, ""},
		"wss://203.0.113.7":                   {fine, ""},
		"wss://[2a00::1]:7443":                {fine, ""},
		"wss://100.128.0.1":                   {fine, ""},

		"ws://localhost:7880":        {fine, ""},
		"ws://LOCALHOST.:7880":       {fine, ""},
		"ws://sfu.localhost:7880":    {fine, ""},
		"ws://127.0.0.1:7880":        {fine, ""},
		"ws://127.9.9.9:7880":        {fine, ""},
		"ws://[::1]:7880":            {fine, ""},
		"ws://[::ffff:127.0.0.1]:80": {fine, ""},
		"wss://localhost":            {fine, ""},

		"ws://livekit:7880":                    {inside, internal},
		"wss://livekit":                        {inside, "without a dot"},
		"wss://live_kit.":                      {inside, "without a dot"},
		"ws://2130706433":                      {inside, "without a dot"},
		"ws://host.docker.internal:7880":       {inside, "containers"},
		"wss://host.containers.internal":       {inside, "containers"},
		"ws://livekit.calls.svc:7880":          {inside, "cluster"},
		"ws://livekit.calls.svc.cluster.local": {inside, "cluster"},
		"wss://10.0.0.5":                       {inside, "10.0.0.5 is a private address"},
		"ws://172.18.0.2:7880":                 {inside, "private"},
		"wss://192.168.1.20:7443":              {inside, "private"},
		"wss://[fd00::5]:7443":                 {inside, "private"},
		"wss://[::ffff:10.0.0.5]":              {inside, "private"},
		"wss://169.254.1.1":                    {inside, "link-local"},
		"wss://[fe80::1]":                      {inside, "link-local"},
		"wss://[fe80::1%25eth0]":               {inside, "link-local"},
		"wss://100.64.0.9":                     {inside, "carrier-grade NAT"},
		"wss://100.127.255.255":                {inside, "carrier-grade NAT"},
		"ws://0.0.0.0:7880":                    {inside, "no address to connect to"},
		"wss://[::]":                           {inside, "no address to connect to"},

		"ws://sfu.example.org":        {clear, "write wss://sfu.example.org, or put this address into " + internal},
		"http://sfu.example.org":      {clear, "write wss://sfu.example.org"},
		"ws://sfu.example.org:7880/x": {clear, "browsers refuse ws://"},
		"ws://203.0.113.7:7880":       {clear, internal},
		"ws://[2a00::1]:7880":         {clear, internal},

		"wss://nas.local":         {own, "end in .local"},
		"wss://sfu.corp.internal": {own, "end in .internal"},
		"wss://sfu.home.arpa":     {own, "end in .home.arpa"},
		"wss://sfu.Lan":           {own, "end in .lan"},
		"wss://nas.fritz.box":     {own, "end in .fritz.box"},
	} {
		t.Run(text, func(t *testing.T) {
			_, warnings, err := config.Parse(minimal().with(vars{"LIVEKIT_URL": text}).input(), disk{}.read)
			if err != nil {
				t.Fatal(err)
			}
			isClientURL(t, warnings, want.kind, want.words)
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if kind, why := config.ForClients(u); kind != want.kind || (why == "") != (kind == "") {
				t.Errorf("for doctor it is %q, %q, want %q", kind, why, want.kind)
			}
		})
	}
	// Clients do not get the URLs in these variables.
	_, warnings, err := config.Parse(minimal().with(vars{
		"LIVEKIT_INTERNAL_URL": "ws://livekit:7880", "LIVEKIT_CS_API_URL_OVERRIDES": "example.org=http://synapse:8008",
	}).input(), disk{}.read)
	if err != nil || len(warnings) > 0 {
		t.Errorf("addresses for the service: got the warnings %q, %v, want none", warnings, err)
	}
}

func isClientURL(t *testing.T, warnings []config.Warning, kind config.Kind, words string) {
	t.Helper()
	if kind == "" {
		if len(warnings) > 0 {
			t.Errorf("warnings %q, want none", warnings)
		}
		return
	}
	if len(warnings) != 1 || warnings[0].Variable != "LIVEKIT_URL" || warnings[0].Kind != kind || !strings.Contains(warnings[0].Text, words) {
		t.Errorf("got %q, want one warning of the kind %s with %q", warnings, kind, words)
	}
}

// TestClientURLTwice checks that a URL without TLS causes two warnings if its host
// name exists only in one network.
func TestClientURLTwice(t *testing.T) {
	_, warnings, err := config.Parse(minimal().with(vars{"LIVEKIT_URL": "ws://nas.local:7880"}).input(), disk{}.read)
	if err != nil || len(warnings) != 2 || warnings[0].Kind != config.OwnNetwork || warnings[1].Kind != config.ClearText {
		t.Errorf("got %q, %v, want one about the network and one about TLS", warnings, err)
	}
}

// TestAddedPath checks the warning about a URL that ends in a path that callers
// append themselves. The warning shows the URL without that path.
func TestAddedPath(t *testing.T) {
	for _, test := range []struct{ variable, text, words string }{
		{"LIVEKIT_URL", "wss://sfu.example.org/rtc", "this program and clients append the path /rtc themselves; write wss://sfu.example.org"},
		{"LIVEKIT_URL", "wss://sfu.example.org/rtc/", "this program and clients append the path /rtc themselves"},
		{"LIVEKIT_URL", "wss://sfu.example.org/rtc/v1", "this program and clients append the path /rtc/v1 themselves; write wss://sfu.example.org"},
		{"LIVEKIT_URL", "wss://h.example.org/livekit/sfu/rtc/validate", "write wss://h.example.org/livekit/sfu"},
		{"LIVEKIT_URL", "wss://h.example.org/a%2Fb/rtc", "write wss://h.example.org/a%2Fb"},
		{"LIVEKIT_URL", "wss://sfu.example.org/twirp", "this program and clients append the path /twirp themselves"},
		{"LIVEKIT_URL", "wss://jwt.example.org/sfu/get", "the path /sfu/get belongs to this service"},
		{"LIVEKIT_URL", "wss://jwt.example.org/livekit/jwt/get_token", "the path /get_token belongs to this service"},
		{"LIVEKIT_URL", "wss://jwt.example.org/sfu_webhook", "the path /sfu_webhook belongs to this service"},
		{"LIVEKIT_URL_ALIASES", "wss://old.example.org/rtc", "this program and clients append the path /rtc themselves; write wss://old.example.org"},
		{"LIVEKIT_URL_ALIASES", "wss://old.example.org, wss://jwt.example.org/sfu/get", "the path /sfu/get belongs to this service"},
		{"LIVEKIT_INTERNAL_URL", "http://livekit:7880/rtc", "this program and clients append the path /rtc themselves; write http://livekit:7880"},
		{"LIVEKIT_INTERNAL_URL", "http://livekit:7880/twirp/livekit.RoomService", "append the path /twirp/livekit.RoomService themselves"},
		{"LIVEKIT_INTERNAL_URL", "http://livekit:7880/healthz", "the path /healthz belongs to this service"},
		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "example.org=http://synapse:8008/_matrix", "this program appends the path /_matrix itself; write example.org=http://synapse:8008"},
		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "example.org=http://synapse:8008/_matrix/federation/v1/", "this program appends the path /_matrix/federation/v1 itself"},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "example.org=https://matrix.example.org/_matrix/client", "this program appends the path /_matrix/client itself; write example.org=https://matrix.example.org"},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "example.org=https://h.example.org/synapse/_matrix/client/v3", "write example.org=https://h.example.org/synapse"},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "example.org=https://example.org/.well-known/matrix/client", "/.well-known/matrix/client"},

		{"LIVEKIT_URL", "wss://sfu.example.org/livekit/sfu", ""},
		{"LIVEKIT_URL", "wss://sfu.example.org/rtc/calls", ""},
		{"LIVEKIT_URL", "wss://rtc.example.org/myrtc", ""},
		{"LIVEKIT_URL", "wss://sfu.example.org/sfu", ""},
		{"LIVEKIT_INTERNAL_URL", "http://livekit:7880/x", ""},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "example.org=https://h.example.org/matrix", ""},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "example.org=https://h.example.org/my_matrix", ""},
	} {
		t.Run(test.text, func(t *testing.T) {
			_, warnings, err := config.Parse(minimal().with(vars{test.variable: test.text}).input(), disk{}.read)
			switch {
			case err != nil:
				t.Fatal(err)
			case test.words == "":
				if len(warnings) > 0 {
					t.Errorf("warnings %q, want none", warnings)
				}
			case len(warnings) != 1 || warnings[0].Variable != test.variable || warnings[0].Kind != config.AddedPath || !strings.Contains(warnings[0].Text, test.words):
				t.Errorf("got %q, want one warning of %s with %q", warnings, test.variable, test.words)
			}
		})
	}
}

// TestOneRightAddress checks a URL with several faults. Each warning proposes
// the same URL, which has none of these faults.
func TestOneRightAddress(t *testing.T) {
	for text, want := range map[string]string{
		"https://sfu.example.org/rtc":      "write wss://sfu.example.org",
		"http://sfu.example.org/x/twirp":   "write wss://sfu.example.org/x",
		"ws://sfu.example.org/rtc/":        "write wss://sfu.example.org",
		"http://localhost:7880/rtc":        "write ws://localhost:7880",
		"https://localhost:7880/rtc":       "write wss://localhost:7880",
		"https://sfu.example.org/livekit/": "write wss://sfu.example.org/livekit/",
	} {
		t.Run(text, func(t *testing.T) {
			_, warnings, err := config.Parse(minimal().with(vars{"LIVEKIT_URL": text}).input(), disk{}.read)
			if err != nil || len(warnings) == 0 {
				t.Fatalf("got %q, %v, want warnings", warnings, err)
			}
			for _, w := range warnings {
				_, told, _ := strings.Cut(w.Text, "; ")
				if _, remedy, ok := strings.Cut(w.Text, ": clients expect one, "); ok {
					told = remedy
				}
				if told, _, _ = strings.Cut(told, ", or "); told != want {
					t.Errorf("got %q, want that it ends with %q", w.Text, want)
				}
			}
		})
	}
}
