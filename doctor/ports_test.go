package doctor

import (
	"errors"
	"fmt"
	"testing"

	"matrixrtc-auth/doctor/engine"
)

// TestPorts checks that doctor judges the ports that livekit.yaml names. For
// ports that it does not name, doctor must judge LiveKit's defaults.
func TestPorts(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                    "",
		"port: 7881":            "livekit-ports-clash",
		"rtc: {tcp_port: 7880}": "livekit-ports-clash",
		"turn: {enabled: true, domain: a, tls_port: 7881}":                          "livekit-ports-clash",
		"turn: {enabled: true, udp_port: 50100}":                                    "livekit-ports-clash",
		"turn: {enabled: true, udp_port: 3478}":                                     "",
		"rtc: {udp_port: 7882}\nturn: {enabled: true, udp_port: 50100}":             "",
		"development: true\nturn: {enabled: true, udp_port: 7882}":                  "livekit-ports-clash",
		"rtc: {udp_port: 7882, port_range_start: 1, port_range_end: 2}":             "livekit-udp-both",
		"port: 7881\nrtc: {tcp_port: 7880, udp_port: 7882}\nturn: {enabled: false}": "",
	} {
		t.Run(text, func(t *testing.T) {
			f := judgePorts(parsed(t, text))
			if got := nameOf(f); got != want {
				t.Errorf("%q: %q, want %q: %s", text, got, want, f.Seen)
			}
		})
	}
}

// parsed returns the configuration that doctor reads from a livekit.yaml with
// this text.
func parsed(t *testing.T, text string) *livekitConfig {
	t.Helper()
	look := &Look{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }}
	e := &exam{look: look}
	if f := (livekitFile{e}).readLiveKit(&e.livekit); f.Status != engine.OK {
		t.Fatalf("%q: %s: got %v, want %v", text, f.Seen, f.Status, engine.OK)
	}
	return &e.livekit
}

// TestPortOfTURN checks that remedies name the port of TURN that clients use.
func TestPortOfTURN(t *testing.T) {
	for text, want := range map[string]string{
		"turn: {enabled: true, udp_port: 3479}":                                "3479/udp",
		"turn: {enabled: true, domain: a, udp_port: 3479, tls_port: 5349}":     "3479/udp",
		"turn: {enabled: true, domain: a, tls_port: 5349, external_tls: true}": "443/tcp",
		"{}": "",
	} {
		t.Run(text, func(t *testing.T) {
			if got := parsed(t, text).ports()["turn_port"]; got != want {
				t.Errorf("turn_port: got %q, want %q", got, want)
			}
		})
	}
}

func nameOf(f engine.Finding) string {
	if f.Cause == nil {
		return ""
	}
	return f.Cause.ID
}

// TestRange checks that media ports may be in the range of outgoing connections
// only if all of them are reserved.
func TestRange(t *testing.T) {
	const ofGuides = "rtc: {port_range_start: 50000, port_range_end: 50200}"
	const doubt = "livekit-range-ephemeral"
	for _, test := range []struct{ yaml, reserved, want string }{
		{ofGuides, "", doubt},
		{ofGuides, "50000-50200", ""},
		{ofGuides, "8080,50000-50200", ""},
		{ofGuides, "49000-50100,50101,50102-60000", ""},
		{ofGuides, "50000-50199", doubt},
		{ofGuides, "50001-50200", doubt},
		{ofGuides, "50000-50100,50102-50200", doubt},
		{"{}", "", doubt},
		{"{}", "50000-60000", ""},
		{"rtc: {port_range_start: 20000, port_range_end: 20200}", "", ""},
		{"rtc: {port_range_start: 30000, port_range_end: 32800}", "32768-32800", ""},
		{"rtc: {udp_port: 7882}", "", ""},
	} {
		t.Run(fmt.Sprintf("%s reserved %q", test.yaml, test.reserved), func(t *testing.T) {
			look := &Look{ReadFile: func(name string) ([]byte, error) {
				switch {
				case name == ephemeralFile:
					return []byte("32768\t60999\n"), nil
				case name == reservedFile && test.reserved != "":
					return []byte(test.reserved + "\n"), nil
				}
				return nil, errors.New("not there")
			}}
			f := livekitFile{&exam{look: look}}.judgeRange(parsed(t, test.yaml))
			if got := nameOf(f); got != test.want {
				t.Errorf("%q, reserved %q: %q, want %q: %s", test.yaml, test.reserved, got, test.want, f.Seen)
			}
		})
	}
}
