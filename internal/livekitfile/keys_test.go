package livekitfile

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestUnknown(t *testing.T) {
	for text, want := range map[string]string{
		"port: 7880\nrtc: {tcp_port: 7881, ips: {excludes: [10.0.0.0/8]}}":   "",
		"keys: {any: thing}\nturn: {enabled: true}":                          "",
		"rtc: {turn_servers: [{host: a, port: 1, protocol: udp}]}":           "",
		"room: {room_configurations: {any: {name: free form}}}":              "",
		"logging:\nlevel: info":                                              "level",
		"rtc: {tcp_prot: 7881}\nloging: {}":                                  "loging rtc.tcp_prot",
		"rtc: {turn_servers: [{host: a, prot: 1}]}":                          "rtc.turn_servers[].prot",
		"turn: {external_tls: true, rtc: 1}":                                 "turn.rtc",
		"node_selector: {regions: [{name: a, lat: 1, lon: 1, altitude: 2}]}": "node_selector.regions[].altitude",
	} {
		t.Run(text, func(t *testing.T) {
			var document map[string]any
			if err := yaml.Unmarshal([]byte(text), &document); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(Unknown(document), " "); got != want {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		})
	}
}
