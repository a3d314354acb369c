package setup

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/appservice"
)

// trace is an answer that setup found in a file other than answersFile.
type trace struct{ value, file string }

// traces are the answers that setup finds in the files of a deployment without
// answersFile. Such a deployment was written by version 0.2.0 of setup, or by a
// person.
type traces struct {
	of    map[string]trace // the answers, by option
	found bool             // whether the folder has any file that may have answers
}

// traced has the options whose answers setup can read from the other files of the
// folder if answersFile is missing. An option that depends on one of these options
// is not in the list. An option whose answer is a path is not in the list either,
// because the path may be on another machine.
var traced = []string{
	"server-name", "base-url", "homeserver-url", "udp-range", "jwt-port", "turn-tls", "image", "appservice", "turn",
}

// readTraces reads the answers from the folder's files. It ignores a file that
// it cannot parse.
func readTraces(dir *folder) (*traces, error) {
	t := &traces{of: map[string]trace{}}
	for _, f := range []struct {
		name string
		read func(name string, content []byte)
	}{
		{envFile, t.env}, {"well-known-client.json", t.wellKnown}, {sfuFile, t.liveKit},
		{"compose.yaml", t.compose}, {registrationFile, t.registration},
	} {
		content, found, err := dir.read(f.name)
		if err != nil {
			return t, err
		}
		if found {
			t.found = true
			f.read(f.name, content)
		}
	}
	_, cert, err := dir.read(certFile)
	if t.of["turn-tls"].value != "" && cert {
		t.tell("turn-cert", certFile, certFile)
		t.tell("turn-key", keyFile, keyFile)
	}
	return t, err
}

// tell records the value of the option name, which is in the given file. If another
// file has already given a value of this option, tell does nothing.
func (t *traces) tell(name, value, file string) {
	if _, told := t.of[name]; !told {
		t.of[name] = trace{value, file}
	}
}

// host records the host name in address as the value of an option. If address has
// no path, the name of the option is in the argument option. If the path equals the
// argument prefix, the option is single-host. With another path, host records
// nothing.
func (t *traces) host(option, address, prefix, file string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return
	}
	switch strings.TrimSuffix(u.Path, "/") {
	case "":
		t.tell(option, u.Host, file)
	case prefix:
		t.tell("single-host", u.Host, file)
	}
}

func (t *traces) env(name string, content []byte) {
	values, err := parseEnv(string(content))
	if err != nil {
		return
	}
	t.host("sfu-host", values["LIVEKIT_URL"], sfuPrefix, name)
	server := values["LIVEKIT_FULL_ACCESS_HOMESERVERS"]
	if _, err := parseServerName(server); err == nil {
		t.tell("server-name", server, name)
	}
	switch key, value, _ := strings.Cut(values["LIVEKIT_FEDERATION_URL_OVERRIDES"], "="); {
	case key == "":
		t.tell("homeserver-url", "", name)
	case key == server:
		t.tell("homeserver-url", value, name)
	}
}

func (t *traces) wellKnown(name string, content []byte) {
	var file struct {
		Homeserver struct {
			BaseURL string `json:"base_url"`
		} `json:"m.homeserver"`
		Foci []struct {
			URL string `json:"livekit_service_url"`
		} `json:"org.matrix.msc4143.rtc_foci"`
	}
	if json.Unmarshal(content, &file) != nil {
		return
	}
	if file.Homeserver.BaseURL != "" {
		t.tell("base-url", file.Homeserver.BaseURL, name)
	}
	if len(file.Foci) > 0 {
		t.host("jwt-host", file.Foci[0].URL, jwtPrefix, name)
	}
}

func (t *traces) liveKit(name string, content []byte) {
	var file *struct {
		RTC struct {
			First int `yaml:"port_range_start"`
			Last  int `yaml:"port_range_end"`
		}
		TURN struct {
			Enabled bool
			Domain  string
			UDPPort int `yaml:"udp_port"`
			TLSPort int `yaml:"tls_port"`
			First   int `yaml:"relay_range_start"`
			Last    int `yaml:"relay_range_end"`
		}
	}
	if yaml.Unmarshal(content, &file) != nil || file == nil {
		return
	}
	if file.RTC.First != 0 && file.RTC.Last != 0 {
		t.tell("udp-range", ports{file.RTC.First, file.RTC.Last}.String(), name)
	}
	turn := file.TURN
	if turn.First != 0 && turn.Last != 0 {
		t.tell("relay-range", ports{turn.First, turn.Last}.String(), name)
	} else {
		t.tell("relay-range", presetRelay, name) // setup 0.2.0 always had this range
	}
	t.tell("turn", fmt.Sprint(turn.Enabled && turn.UDPPort != 0), name)
	if !turn.Enabled || turn.TLSPort == 0 {
		turn.Domain = ""
	}
	t.tell("turn-tls", turn.Domain, name)
}

func (t *traces) compose(name string, content []byte) {
	var file struct {
		Services map[string]struct {
			Image       string
			Build       yaml.Node
			Environment yaml.Node
			Ports       []yaml.Node
		}
	}
	if yaml.Unmarshal(content, &file) != nil {
		return
	}
	service, ours := file.Services["matrixrtc-auth"]
	sfu, theirs := file.Services["livekit"]
	if ours {
		t.publishedJWT(name, portsOf(service.Ports))
		t.image(name, service.Image, service.Build)
		var environment map[string]string
		_ = service.Environment.Decode(&environment) // if a person made it a list, the map stays empty
		t.tell("appservice", fmt.Sprint(environment["LIVEKIT_AS_REGISTRATION_FILE"] != ""), name)
	}
	if theirs {
		t.publishedSFU(name, portsOf(sfu.Ports))
	}
}

// portsOf returns the published ports of a service. It skips those in
// Compose's long form (a mapping).
func portsOf(nodes []yaml.Node) (list []string) {
	for _, n := range nodes {
		if n.Kind == yaml.ScalarNode {
			list = append(list, n.Value)
		}
	}
	return list
}

// publishedJWT records the port of the machine through which this service is
// reached.
func (t *traces) publishedJWT(name string, published []string) {
	for _, p := range published {
		outside, isOurs := strings.CutSuffix(strings.TrimSuffix(p, "/tcp"), ":8080")
		if port := outside[strings.LastIndex(outside, ":")+1:]; isOurs && isPort(port) {
			t.tell("jwt-port", port, name)
		}
	}
}

// publishedSFU records LiveKit's media ports, and whether LiveKit offers TURN. It
// learns both from published, the ports of LiveKit in the compose file name.
func (t *traces) publishedSFU(name string, published []string) {
	turn, tls := false, false
	for _, p := range published {
		outside, _, _ := strings.Cut(p, ":")
		first, last, isRange := strings.Cut(outside, "-")
		switch {
		case strings.HasSuffix(p, "/udp") && isRange && isPort(first) && isPort(last):
			t.tell("udp-range", outside, name)
		case p == fmt.Sprintf("%[1]d:%[1]d/udp", turnPort):
			turn = true
		case strings.HasSuffix(p, fmt.Sprintf(":%d/tcp", turnTLSPort)):
			tls = true
		}
	}
	t.tell("turn", fmt.Sprint(turn), name)
	if !tls { // with TURN over TLS, livekit.yaml has the host name
		t.tell("turn-tls", "", name)
	}
}

// image records the source or the image from which the container is made. It
// records nothing if that is setup's default.
func (t *traces) image(name, image string, build yaml.Node) {
	context := build.Value
	if build.Kind == yaml.MappingNode {
		var long struct{ Context string }
		_ = build.Decode(&long)
		context = long.Context
	}
	switch {
	case context != "":
		t.tell("source", context, name)
		t.tell("image", "", name)
	case strings.HasPrefix(image, "matrixrtc-auth:"):
		t.tell("image", "", name)
	case image != "":
		t.tell("image", image, name)
	}
}

func (t *traces) registration(name string, content []byte) {
	r, err := appservice.Parse(content)
	if err != nil || t.of["appservice"].value != "true" {
		return
	}
	public := plan{SingleHost: t.of["single-host"].value, JWTHost: t.of["jwt-host"].value}.JWTURL()
	if r.ProxyURL != "" && r.ProxyURL != public { // setup computes the public URL itself, so this URL is no answer
		t.tell("appservice-url", r.ProxyURL, name)
	}
}
