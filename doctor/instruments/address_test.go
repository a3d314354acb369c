package instruments

import (
	"fmt"
	"testing"
)

func TestParseResolve(t *testing.T) {
	for text, want := range map[string]string{
		"Example.org:443:127.0.0.1": "example.org:443 127.0.0.1",
		"example.org:443:[::1]":     "example.org:443 ::1",
		"example.org:443:::1":       "example.org:443 ::1",
		"example.org:443":           "",
		"example.org:443:name":      "",
		":443:127.0.0.1":            "",
		"example.org:abc:127.0.0.1": "",
		"example.org:0:127.0.0.1":   "",
		"example.org:70000:::1":     "",
	} {
		t.Run(text, func(t *testing.T) {
			hostPort, addr, err := ParseResolve(text)
			if got := hostPort + " " + addr.String(); (err != nil) != (want == "") || want != "" && got != want {
				t.Errorf("%q: got %q, %v, want %q, or an error where that is empty", text, got, err, want)
			}
		})
	}
}

func TestSameAddress(t *testing.T) {
	const address = "https://jwt.example.org/livekit/jwt"
	for text, want := range map[string]bool{
		"https://JWT.example.org/livekit/jwt/":     true,
		"https://jwt.example.org:443/livekit/jwt":  true,
		"https://jwt.example.org:8443/livekit/jwt": false,
		"http://jwt.example.org:443/livekit/jwt":   false,
		"https://jwt.example.org/LiveKit/jwt":      false,
		"https://jwt.example.org/livekit/jwt?a":    false,
		"https://a@jwt.example.org/livekit/jwt":    false,
		"https://jwt.example.org":                  false,
		"":                                         false,
	} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			if got := SameAddress(text, address); got != want {
				t.Errorf("%q: %v, want %v", text, got, want)
			}
		})
	}
}
