package existing

import (
	"fmt"
	"slices"
	"strings"

	"matrixrtc-auth/internal/livekitfile"
	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/internal/yamltext"
)

// known has the settings of livekit.yaml that setup writes, or about which
// other methods add findings. The method extra adds no finding about them.
var known = []string{
	"port", "keys", "key_file", "webhook", "turn", "bind_addresses", "log_level", "development",
	"rtc.tcp_port", "rtc.udp_port", "rtc.port_range_start", "rtc.port_range_end", "rtc.use_external_ip", "rtc.node_ip",
	"room.auto_create", "logging.level",
}

// settings adds a finding about each setting of livekit.yaml that setup does
// not take over.
func (j *judge) settings() {
	if !j.config.there() {
		return
	}
	unknown := livekitfile.Unknown(j.config.document())
	for _, path := range unknown {
		at := j.config.get(strings.Split(path, ".")...)
		why := "LiveKit does not know this setting there, and does not start with it."
		if j.config.get("logging").node != nil && (path == "level" || path == "json") {
			why += " It belongs below logging:, with two blanks before it."
		}
		j.find(Finding{Verb: Drop, What: path + " in livekit.yaml", Place: at.place(), Why: why})
	}
	if auto := j.config.get("room", "auto_create"); !auto.there() || auto.isTrue() {
		j.find(Finding{Verb: Change, What: "room.auto_create", Place: or(auto.place(), j.config.file),
			Why: "Everybody with a token could make rooms. It is false now: only the service makes rooms, and only for users of your homeserver."})
	}
	j.publicAddress()
	for _, e := range j.config.entries() {
		j.extra(e.key, e, unknown)
	}
}

func or(p Place, file string) Place {
	if p.File == "" {
		p.File = file
	}
	return p
}

// publicAddress adds a finding if the old livekit.yaml states LiveKit's public
// address. With the new livekit.yaml, LiveKit finds its address by itself,
// which does not work on every machine.
func (j *judge) publicAddress() {
	external, node := j.config.get("rtc", "use_external_ip"), j.config.get("rtc", "node_ip")
	if external.isTrue() {
		return
	}
	lines, at := []string{"use_external_ip: false"}, external.place()
	if node.there() {
		lines, at = append(lines, "node_ip: "+node.text()), node.place()
	}
	if at.Line == 0 {
		return // without these settings, LiveKit finds its public address by itself, and nothing changes
	}
	j.find(Finding{Verb: Change, What: "rtc.use_external_ip in livekit.yaml", Place: at,
		Why:   "The old file has the public address that LiveKit gives to clients. With the new livekit.yaml, LiveKit asks STUN servers on the internet for it. If LiveKit reaches none of them, it does not start: then write these lines below rtc:.",
		Lines: lines, Check: nodeIPCheck})
}

// extra adds a finding about a setting that setup does not write. The finding
// has the lines that the operator may add to the new file.
func (j *judge) extra(path string, e entry, unknown []string) {
	switch {
	case slices.Contains(known, path), slices.Contains(unknown, path), !e.value.there():
		return
	case !strings.Contains(path, ".") && slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, path+".") }):
		for _, below := range e.value.entries() {
			j.extra(path+"."+below.key, below, unknown)
		}
		return
	}
	j.find(Finding{Verb: Add, What: path + " to livekit.yaml, if you still need it", Place: e.at,
		Why:   "The old file has this setting, and setup does not write it.",
		Lines: shownLines(path, e.value), Check: "`docker compose logs livekit` shows no error."})
}

// secretName matches the name of a setting whose value may be a secret.
var secretName = pattern.New(`(?i)pass|secret|credential|token|key`)

// shownLines returns a setting as the lines of livekit.yaml, without secrets.
func shownLines(path string, t tree) []string {
	var content any
	if t.node.Decode(&content) != nil {
		return nil
	}
	names := strings.Split(path, ".")
	for _, name := range slices.Backward(names) {
		content = map[string]any{name: hidden(name, content)}
	}
	lines := strings.Split(yamltext.Block(content), "\n")
	const most = 12
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("# and %d more lines", len(lines)-most))
	}
	return lines
}

// hidden returns v with a placeholder for everything that may be a secret.
func hidden(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			v[key] = hidden(key, below)
		}
		return v
	case []any:
		for i, below := range v {
			v[i] = hidden(name, below)
		}
		return v
	case string:
		if secretName().MatchString(name) || strings.Contains(v, "@") {
			return "(as in the old file)"
		}
	}
	return v
}
