package handler

import "testing"

func TestOneOf(t *testing.T) {
	isOurs := OneOf("wss://sfu.example.org", "wss://example.org/livekit/sfu/", "ws://127.0.0.1:7880", "wss://[::1]")
	for text, want := range map[string]bool{
		"wss://sfu.example.org":           true,
		"WSS://SFU.Example.ORG/":          true,
		"wss://sfu.example.org:443":       true,
		"wss://sfu.example.org:443/":      true,
		"wss://example.org/livekit/sfu":   true,
		"wss://[::1]:443/":                true,
		"ws://127.0.0.1:7880/":            true,
		"ws://sfu.example.org":            false,
		"https://sfu.example.org":         false,
		"wss://sfu.example.org:444":       false,
		"wss://sfu.example.org/x":         false,
		"wss://example.org/LIVEKIT/sfu":   false,
		"wss://sfu.example.org?x":         false,
		"wss://user@sfu.example.org":      false,
		"wss://sfu.example.org.evil.test": false,
		"ws://127.0.0.1:80":               false,
		"sfu.example.org":                 false,
		"":                                false,
		"%":                               false,
	} {
		t.Run(text, func(t *testing.T) {
			if got := isOurs(text); got != want {
				t.Errorf("%q: got %v, want %v", text, got, want)
			}
		})
	}
}
