package hostport_test

import (
	"net/url"
	"testing"

	"matrixrtc-auth/internal/hostport"
)

func TestIsAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"host:1": true, "a_b.example.org:65535": true, "[::1]:7": true, "192.0.2.1:80": true, "bücher.example:1": true,
		"": false, "host": false, ":1": false, "host:": false, "host:0": false, "host:65536": false, "host:port": false,
		"a b:1": false, "<host>:1": false, "::1:7": false, "host:1:2": false,
	} {
		t.Run(text, func(t *testing.T) {
			if got := hostport.IsAddress(text); got != want {
				t.Errorf("IsAddress(%q) = %t, want %t", text, got, want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"http://host":          "",
		"http://[::1]:8":       "",
		"http://":              "has no host",
		"http://:80":           "has no host",
		"http://$HOST":         "has a host that is not valid (is a placeholder left in it?)",
		"http://host:0":        "has a port that is not a number from 1 to 65535",
		"http://host:99999999": "has a port that is not a number from 1 to 65535",
	} {
		t.Run(text, func(t *testing.T) {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := hostport.Check(u); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("Check(%s): %q, want %q", text, got, want)
			}
		})
	}
}
