package existing

import (
	"fmt"
	"strings"
)

// containers adds findings about the images, options, mounts, networks and
// labels of the old containers.
func (j *judge) containers() {
	var names []string
	for _, s := range []*container{j.service, j.sfu} {
		if s == nil || j.of == nil || s.image == "" {
			continue
		}
		names = append(names, s.name)
		j.image(s)
		j.mounts(s)
		if s.hostNetwork {
			j.find(Finding{Verb: Drop, What: "network_mode: host of " + s.name, Place: s.at,
				Why: "compose.yaml puts both containers into a network, and publishes the ports that they need. The proxy still reaches them at 127.0.0.1 of this machine."})
		}
	}
	j.traefik()
	j.proxys()
	j.started()
	j.webhook()
	if len(names) == 0 {
		return
	}
	j.find(Finding{Verb: Drop, What: "the old containers " + strings.Join(names, " and "), Place: Place{File: j.of.file},
		Why:   "Both deployments use the same ports. Stop the old containers right before you start the new ones. " + others(j.of, names),
		Lines: []string{"docker compose -f " + j.of.file + " rm --stop " + strings.Join(names, " ")},
		Check: "`docker ps` shows none of the old containers."})
}

// The function others returns a sentence that tells the operator what to remove from
// the old compose file c. The parameter names has the services that the new
// deployment replaces. If the file has no other services, the operator can remove the
// file.
func others(c *compose, names []string) string {
	if len(c.services) > len(names) {
		return "The file's other services stay: remove only these services from the file, so that nothing starts them again."
	}
	return "When calls work, remove the file, so that nothing starts them again."
}

// image adds a finding about the image of the old service, which this program
// replaces. It also adds one about LiveKit's image if the image has no fixed
// version.
func (j *judge) image(s *container) {
	_, tag, _ := strings.Cut(s.image[strings.LastIndex(s.image, "/")+1:], ":")
	switch {
	case !s.isLiveKit():
		j.find(Finding{Verb: Change, What: "the image " + s.image, Place: s.at, Why: "This program replaces it. Clients notice nothing."})
	case tag == "" || tag == "latest":
		j.find(Finding{Verb: Change, What: "the image " + s.image, Place: s.at,
			Why: "With this tag, every release of LiveKit changes the version, and nobody has tested the next one. compose.yaml names a version that was tested."})
	}
}

// mounts adds a finding about each absolute path that the container mounts for
// LiveKit. If a machine lacks that path, LiveKit does not start there.
func (j *judge) mounts(s *container) {
	for _, m := range s.mounts {
		source, target, _ := strings.Cut(m.Value, ":")
		if strings.HasPrefix(source, "/") && strings.Contains(target, "livekit") {
			j.find(Finding{Verb: Change, What: "the path " + source, Place: m.Place,
				Why: "If the path does not exist, Docker makes an empty folder of that name, and LiveKit does not start. compose.yaml has paths relative to itself, and Docker reports a missing file as an error."})
		}
	}
}

// proxys adds a finding if the old service published no port. The reverse proxy
// then reached the old service in a Docker network. The finding says how the
// proxy reaches the new containers.
func (j *judge) proxys() {
	s := j.service
	if _, labelled := s.label(".rule"); labelled || j.of == nil || s == nil || s.hostNetwork || len(s.published) > 0 {
		return
	}
	j.find(Finding{Verb: Add, What: "a network that the proxy shares", Place: s.at,
		Why:   "The old compose file publishes no port of " + s.name + ", so the proxy reached it over a Docker network. Add that network to compose.override.yaml (`docker network ls` lists it). In it the proxy reaches matrixrtc-auth:8080 and livekit:7880.",
		Lines: []string{"services:", "  livekit: {networks: [default, proxy]}", "  matrixrtc-auth: {networks: [default, proxy]}", "networks:", "  proxy: {name: NAME, external: true}"},
		Check: "both addresses answer through the proxy."})
}

// started adds findings about LiveKit's command-line options and environment
// variables. The new LiveKit gets none of them, except its API key.
func (j *judge) started() {
	if j.sfu == nil {
		return
	}
	for _, word := range strings.Fields(j.sfu.command) {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case !strings.HasPrefix(name, "--"), name == "--config", name == "--config-body", name == "--keys", name == "--key-file":
		case name == "--node-ip" && value != "":
			j.find(Finding{Verb: Change, What: "rtc.node_ip in livekit.yaml", Place: j.sfu.at,
				Why:   "LiveKit's old command has the public address that LiveKit gives to clients. With the new livekit.yaml, LiveKit asks STUN servers on the internet for it. If LiveKit reaches none of them, it does not start: then write these lines below rtc:.",
				Lines: []string{"use_external_ip: false", "node_ip: " + value}, Check: nodeIPCheck})
		default:
			j.find(Finding{Verb: Drop, What: "the option " + name + " of LiveKit", Place: j.sfu.at,
				Why: "setup writes no options: LiveKit's settings are in livekit.yaml. If you need this one, write it there.", Check: "calls work without it."})
		}
	}
	for _, v := range j.sfu.environment {
		if v.Name != "LIVEKIT_KEYS" && v.Name != "LIVEKIT_CONFIG" && !v.Value.IsEmpty() {
			j.find(Finding{Verb: Drop, What: v.Name + " of LiveKit", Place: v.Place,
				Why: "setup gives LiveKit only the key. If you need this variable, add it in compose.override.yaml.", Check: "calls work without it."})
		}
	}
}

const nodeIPCheck = "`docker compose logs livekit` shows your public address as nodeIP."

// traefik adds a finding that says which Traefik labels the new containers get.
func (j *judge) traefik() {
	rule, found := j.service.label(".rule")
	if !found {
		if rule, found = j.sfu.label(".rule"); !found {
			return
		}
	}
	var own []string
	for _, what := range [][2]string{{"docker.network", "the network"}, {".entrypoints", "the entry point"}, {".certresolver", "the resolver of certificates"}} {
		for _, s := range []*container{j.service, j.sfu} {
			if f, found := s.label(what[0]); found {
				own = append(own, what[1]+" "+f.Value)
				break
			}
		}
	}
	do := "traefik.yaml.example has the labels for the new ones: copy it to compose.override.yaml"
	if len(own) > 0 {
		do += ", and put in " + strings.Join(own, ", ")
	}
	j.find(Finding{Verb: Change, What: "Traefik's labels", Place: rule.Place,
		Why:   "The old containers have these labels. " + do + ".",
		Check: "the Traefik dashboard shows the routers livekit and matrixrtc-auth, or the addresses answer."})
}

// webhook adds findings about the addresses to which LiveKit sends its
// webhooks.
func (j *judge) webhook() {
	hook := j.config.get("webhook")
	for _, u := range hook.get("urls").items() {
		if strings.HasSuffix(strings.TrimRight(u.text(), "/"), "/sfu_webhook") {
			continue
		}
		j.find(Finding{Verb: Add, What: "webhook.urls " + bare(u.text()), Place: u.place(),
			Why:   "Another program gets LiveKit's webhooks at this address. The new livekit.yaml names only the service: add this line to its webhook.urls.",
			Lines: []string{"- " + bare(u.text())}, Check: "the other program gets the webhooks of the next call."})
	}
	if j.config.there() && !hook.get("urls").there() {
		j.find(Finding{Verb: Add, What: "webhook", Place: Place{File: j.config.file},
			Why: "LiveKit did not tell the service who left, so members who vanished stayed in the call. The new livekit.yaml has webhooks."})
	}
}

// bare returns a URL without user name, password and query, because these may
// be secrets.
func bare(address string) string {
	a := addressOf(address, Place{})
	if a.host == "" {
		return "(not shown)"
	}
	scheme, _, _ := strings.Cut(address, "://")
	return fmt.Sprintf("%s://%s%s", scheme, a.host, a.path)
}
