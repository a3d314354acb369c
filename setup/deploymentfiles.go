package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// imageOf returns the image name that the repository's compose.yaml has for
// this program. The name ends in this program's version.
func imageOf(templates fs.FS) (string, error) {
	content, err := fs.ReadFile(templates, "compose.yaml")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(content)) {
		if image, found := strings.CutPrefix(strings.TrimSpace(line), "image: matrixrtc-auth:"); found {
			return "matrixrtc-auth:" + image, nil
		}
	}
	return "", errors.New("compose.yaml names no image of this program: this program is damaged")
}

// composeEdits returns the edits that turn the repository's compose.yaml into
// the compose.yaml of the plan. All other lines stay.
func (p plan) composeEdits() []edit {
	edits := []edit{
		{"# LiveKit and the authorization service", "\nservices:\n", composeHead},
		{`"20000-20200:20000-20200/udp"`, "", fmt.Sprintf(`"%[1]s:%[1]s/udp"`, p.Media)},
		{"      # TURN over UDP, for strict", "    restart:", p.turnPorts()},
		{`"127.0.0.1:8080:8080/tcp"`, "", fmt.Sprintf(`"127.0.0.1:%d:8080/tcp"`, p.JWTPort)},
		{"    # Built from this folder.", "    # The variables of", p.imageLines()},
	}
	if p.SingleHost != "" {
		edits = append(edits,
			edit{"(its sfu. entry)", "", "(" + sfuPrefix + "/)"},
			edit{"(its jwt. entry)", "", "(" + jwtPrefix + "/)"})
	}
	if p.AppServiceURL != "" {
		edits = append(edits,
			edit{"      LIVEKIT_INTERNAL_URL: http://livekit:7880\n", "", "      LIVEKIT_INTERNAL_URL: http://livekit:7880\n" + p.appServiceVariables()},
			edit{"    # Lets LIVEKIT_FEDERATION_URL_OVERRIDES", "", registrationMount + "    # Lets LIVEKIT_FEDERATION_URL_OVERRIDES"})
	}
	if p.HomeserverNetwork != "" {
		edits = append(edits,
			edit{"    # Lets LIVEKIT_FEDERATION_URL_OVERRIDES", "", homeserverNetwork + "    # Lets LIVEKIT_FEDERATION_URL_OVERRIDES"},
			edit{"\nvolumes:\n  leaves: {}", "", "\nnetworks:\n  homeserver:\n    name: " + p.HomeserverNetwork + "\n    external: true\n\nvolumes:\n  leaves: {}"})
	}
	if p.Certificate != nil {
		edits = append(edits, edit{"    ports:\n      # Signalling", "", certMounts + "    ports:\n      # Signalling"})
	}
	return edits
}

const composeHead = `# LiveKit and the authorization service, for Synology's Container Manager and
# for Docker with Compose v2. matrixrtc-auth setup wrote this file. A second run of
# setup keeps your changes to it. Paths are relative to this file.
`

const homeserverNetwork = `    # The homeserver is in the network homeserver. Do not add LiveKit to it: in two
    # networks, LiveKit gives clients addresses at which it cannot be reached.
    networks: [default, homeserver]
`

const certMounts = `      - type: bind
        source: ./` + certFile + `
        target: /etc/` + certFile + `
        read_only: true
        bind: {create_host_path: false}
      - type: bind
        source: ./` + keyFile + `
        target: /etc/` + keyFile + `
        read_only: true
        bind: {create_host_path: false}
`

// appServiceVariables returns the lines with the variables of the
// application-service mode. These variables need the registration file, so
// setup writes the lines only if the container mounts that file.
func (p plan) appServiceVariables() string {
	return fmt.Sprintf(`      # The homeserver passes requests of its users on to this service.
      LIVEKIT_HS_SERVER_NAME: %q
      LIVEKIT_AS_REGISTRATION_FILE: /etc/%s
`, p.Server, registrationFile)
}

// registrationMount mounts the registration file into the service's container.
// The container's user is in the group 65532.
const registrationMount = `      # The registration, which the homeserver reads, too. Let the container's group
      # 65532 read the file: chgrp 65532, chmod 640.
      - type: bind
        source: ./` + registrationFile + `
        target: /etc/` + registrationFile + `
        read_only: true
        bind: {create_host_path: false}
`

func (p plan) turnPorts() (lines string) {
	if p.TURN {
		lines += "      # TURN over UDP, for strict networks. Forward this port.\n" +
			`      - "3478:3478/udp"` + "\n"
	}
	if p.TURNTLS != "" {
		lines += "      # TURN over TLS. Port 443 of " + p.TURNTLS + " must lead here.\n" +
			`      - "5349:5349/tcp"` + "\n"
	}
	if p.Relays() {
		lines += "      # TURN's relay: media of clients that use TURN. Forward all these ports.\n" +
			fmt.Sprintf("      - \"%[1]s:%[1]s/udp\"\n", p.Relay)
	}
	return lines
}

func (p plan) imageLines() string {
	switch {
	case p.Image != "":
		return "    image: " + p.Image + "\n"
	case p.Build != "":
		return "    # Built from the source in the folder below.\n    build: " + p.Build + "\n    image: " + p.templateImage + "\n"
	}
	return "    # This image was built on another machine. Import it here under this name.\n    image: " + p.templateImage + "\n"
}

// liveKitEdits returns the edits that turn the repository's
// livekit.yaml.example into the plan's livekit.yaml. All other lines stay, like
// webhook.urls.
func (p plan) liveKitEdits() []edit {
	edits := []edit{
		{"# LiveKit's configuration. Copy it", "# LiveKit refuses", "# LiveKit's configuration. compose.yaml mounts it. matrixrtc-auth setup wrote\n# this file. A second run of setup keeps your changes to it.\n"},
		{"port_range_start: 20000", "", fmt.Sprintf("port_range_start: %d", p.Media.First)},
		{"port_range_end: 20200", "", fmt.Sprintf("port_range_end: %d", p.Media.Last)},
		{"api_key: " + presetKey, "", fmt.Sprintf("api_key: %q", p.key.id)},
		{"turn:\n", "\nlogging:", p.turnSection()},
	}
	if p.SingleHost != "" {
		edits = append(edits, edit{"The reverse proxy's sfu. entry leads here.", "", "The reverse proxy's " + sfuPrefix + "/ leads here."})
	}
	return edits
}

const turnOff = `turn:
  # A relay for clients whose network blocks the media ports. setup --turn switches
  # it on.
  enabled: false
`

// turnSection returns the section turn of livekit.yaml. It takes the relay's
// ports from --relay-range. The default of --relay-range is presetRelay, unless
// makeRoom has chosen other ports.
func (p plan) turnSection() string {
	if !p.Relays() {
		return turnOff
	}
	text := `turn:
  # A relay for clients whose network blocks the media ports. The relay connects to
  # the media ports at your public address, so the router must support NAT loopback.
  enabled: true
` + fmt.Sprintf(`  # The ports of the relay. compose.yaml and the router must have the same range.
  relay_range_start: %d
  relay_range_end: %d
`, p.Relay.First, p.Relay.Last)
	if p.TURN {
		text += "  udp_port: 3478\n"
	}
	if p.TURNTLS == "" {
		return text
	}
	text += `  # LiveKit tells clients turns:<domain>:443, whatever tls_port is. So port 443 of
  # the domain must be forwarded to tls_port of this machine.
  domain: ` + p.TURNTLS + `
  tls_port: 5349
`
	if p.Certificate == nil {
		return text + "  # The proxy in front must end TLS, and pass plain TCP on to tls_port.\n  external_tls: true\n"
	}
	return text + "  cert_file: /etc/" + certFile + "\n  key_file: /etc/" + keyFile + "\n"
}

// envEdits returns the edits that turn the repository's .env.example into the
// .env of the plan.
func (p plan) envEdits() []edit {
	edits := []edit{
		{"# Copy this file to .env and fill in. It holds", " the secret:", "# Written by matrixrtc-auth setup. It holds"},
		{"LIVEKIT_KEY=" + presetKey + "\n", "", "LIVEKIT_KEY=" + p.key.id + "\n"},
		{"LIVEKIT_SECRET=\n", "", "LIVEKIT_SECRET=" + p.key.secret.Reveal() + "\n"},
		{"LIVEKIT_URL=wss://sfu.example.org\n", "", "LIVEKIT_URL=" + p.LiveKitURL() + "\n"},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS=example.org\n", "", "LIVEKIT_FULL_ACCESS_HOMESERVERS=" + withCommas(p.Servers) + "\n"},
	}
	if override := p.overrides(); override != "" {
		override += "\n"
		edits = append(edits,
			edit{"LIVEKIT_FEDERATION_URL_OVERRIDES=\n", "", "LIVEKIT_FEDERATION_URL_OVERRIDES=" + override},
			edit{"LIVEKIT_CS_API_URL_OVERRIDES=\n", "", "LIVEKIT_CS_API_URL_OVERRIDES=" + override})
	}
	return edits
}
