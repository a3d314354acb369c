package stack

import (
	"fmt"
	"net"
	"strings"

	"go.yaml.in/yaml/v3"
)

// livekitPorts are the ports of an SFU. The media of each participant needs one port
// for each peer connection, address family and direction.
type livekitPorts struct{ http, turn, media, mediaEnd, relay, relayEnd int }

const livekitPortCount = 90

func layOut(first int) livekitPorts {
	return livekitPorts{
		http: first, turn: first + 1,
		media: first + 2, mediaEnd: first + 79,
		relay: first + 80, relayEnd: first + livekitPortCount - 1,
	}
}

// loopback returns the loopback address with each of these ports.
func (p livekitPorts) loopback() (addresses []string) {
	for port := p.http; port <= p.relayEnd; port++ {
		addresses = append(addresses, loopback(port))
	}
	return addresses
}

// deploy moves LiveKit's configuration to the loopback interface. It replaces these
// settings:
//
//   - ports and bind addresses. Stacks can then run side by side, and other
//     machines cannot reach them. ICE over TCP is off, because LiveKit binds its
//     port on every address;
//   - use_external_ip and node_ip, for which LiveKit would ask STUN servers on the
//     internet, and the interfaces for media;
//   - the URLs of the webhooks.
//
// TURN stays on. LiveKit gives the UDP port of TURN to clients as a STUN server.
// Without TURN, LiveKit would give them Google's STUN servers.
func deploy(config []byte, ports livekitPorts, webhook string) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(config, &doc); err != nil {
		return nil, err
	}
	loopback, err := loopbackInterface()
	if err != nil {
		return nil, err
	}
	for path, value := range map[string]any{
		"port":                          ports.http,
		"bind_addresses":                []string{"127.0.0.1"},
		"rtc.tcp_port":                  0,
		"rtc.port_range_start":          ports.media,
		"rtc.port_range_end":            ports.mediaEnd,
		"rtc.use_external_ip":           false,
		"rtc.node_ip":                   "127.0.0.1",
		"rtc.enable_loopback_candidate": true,
		"rtc.interfaces.includes":       []string{loopback},
		"turn.enabled":                  true,
		"turn.bind_addresses":           []string{"127.0.0.1"},
		"turn.udp_port":                 ports.turn,
		"turn.tls_port":                 0,
		"turn.relay_range_start":        ports.relay,
		"turn.relay_range_end":          ports.relayEnd,
		"webhook.urls":                  webhooks(webhook),
	} {
		if err := set(doc, value, path); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(doc)
}

// sharing makes LiveKit a node of a cluster. All nodes of the cluster share one Redis,
// which has the given address.
func sharing(config []byte, redis string) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(config, &doc); err != nil {
		return nil, err
	}
	if err := set(doc, redis, "redis.address"); err != nil {
		return nil, err
	}
	return yaml.Marshal(doc)
}

// overTCP turns ICE over TCP on, at one of the media ports.
func overTCP(config []byte, ports livekitPorts) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(config, &doc); err != nil {
		return nil, err
	}
	for path, port := range map[string]int{"rtc.tcp_port": ports.mediaEnd, "rtc.port_range_end": ports.mediaEnd - 1} {
		if err := set(doc, port, path); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(doc)
}

// overOnePort makes all media arrive at the first media port.
func overOnePort(config []byte, ports livekitPorts) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(config, &doc); err != nil {
		return nil, err
	}
	for path, port := range map[string]int{"rtc.port_range_start": 0, "rtc.port_range_end": 0, "rtc.udp_port": ports.media} {
		if err := set(doc, port, path); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(doc)
}

// limitAttributes sets the largest size of a participant's attributes, in bytes.
func limitAttributes(config []byte, bytes int) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(config, &doc); err != nil {
		return nil, err
	}
	if err := set(doc, bytes, "limit.max_attributes_size"); err != nil {
		return nil, err
	}
	return yaml.Marshal(doc)
}

// relayMedia makes all media go through a relay at one port of 127.0.0.2. TURN is off,
// because media could go through the TURN port instead. stun_servers names a STUN
// server that does not exist. Without this setting, LiveKit would give Google's STUN
// servers to clients.
func relayMedia(config []byte, ports livekitPorts) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(config, &doc); err != nil {
		return nil, err
	}
	for path, value := range map[string]any{
		"rtc.port_range_start":          0,
		"rtc.port_range_end":            0,
		"rtc.udp_port":                  ports.media,
		"rtc.node_ip":                   "127.0.0.2",
		"rtc.use_ice_lite":              true,
		"rtc.enable_loopback_candidate": true,
		"rtc.stun_servers":              []string{fmt.Sprintf("127.0.0.1:%d", ports.turn)},
		"turn.enabled":                  false,
	} {
		if err := set(doc, value, path); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(doc)
}

func webhooks(url string) []string {
	if url == "" {
		return []string{}
	}
	return []string{url}
}

// set sets the value at a path like a.b.c. It creates missing mappings on the path.
func set(doc map[string]any, value any, path string) error {
	key, rest, nested := strings.Cut(path, ".")
	if !nested {
		doc[key] = value
		return nil
	}
	if doc[key] == nil {
		doc[key] = map[string]any{}
	}
	inner, ok := doc[key].(map[string]any)
	if !ok {
		return fmt.Errorf("the setting %q of livekit.yaml is not a mapping", key)
	}
	return set(inner, value, rest)
}

// flags returns command-line flags for the settings of LiveKit that have a flag. The
// flags set the ports and LiveKit's address. Without the address, LiveKit would ask
// STUN servers for it.
func (p livekitPorts) flags() []string {
	flags := []string{"--bind", "127.0.0.1", "--node-ip", "127.0.0.1", "--rtc.use_external_ip=false"}
	for flag, port := range map[string]int{
		"--port":                   p.http,
		"--rtc.tcp_port":           p.media,
		"--rtc.port_range_start":   p.media + 1,
		"--rtc.port_range_end":     p.mediaEnd,
		"--turn.udp_port":          p.turn,
		"--turn.relay_range_start": p.relay,
		"--turn.relay_range_end":   p.relayEnd,
	} {
		flags = append(flags, fmt.Sprintf("%s=%d", flag, port))
	}
	return flags
}

// loopbackInterface returns the name of this machine's loopback interface: "lo" on
// Linux, "lo0" on other systems.
func loopbackInterface() (string, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name, nil
		}
	}
	return "", fmt.Errorf("this machine has no loopback interface")
}
