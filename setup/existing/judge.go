package existing

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// judge collects the answers and findings of a [Verdict].
type judge struct {
	*Deployment
	Verdict
	service, sfu *container // the containers of the service and of LiveKit; nil if no compose file has one
	of           *compose   // the compose file that has the containers service and sfu; nil if there is none
	config       tree       // the content of the livekit.yaml that LiveKit reads
	synapse      tree       // the content of the homeserver.yaml that Synapse reads
	server       string     // the homeserver's server name; "" if unknown
	public       [2]address // the public URLs of the service and of LiveKit
}

// Judge returns what setup can take over from the deployment d, and findings
// about everything that setup cannot take over.
func Judge(d *Deployment) Verdict {
	j := &judge{Deployment: d}
	j.parts()
	j.keys()
	j.serverNames()
	j.addresses()
	j.homeserverAddresses()
	j.networks()
	j.ports()
	j.turn()
	j.mode()
	j.settings()
	j.variables()
	j.containers()
	j.judgeSynapse()
	j.judgeWellKnown()
	for _, f := range d.unread {
		j.find(Finding{Verb: Change, What: "a file that setup could not read", Place: f.Place,
			Why:   "The reason: " + f.Value + ". If the deployment uses this file, correct it, and run setup again with a new folder as --dir.",
			Check: "the new taking-over.md does not have this entry."})
	}
	return j.Verdict
}

// parts finds the containers of the service and of LiveKit, and the
// configuration files that LiveKit and Synapse read.
func (j *judge) parts() {
	for _, c := range j.compose {
		for _, s := range c.services {
			switch {
			case j.sfu == nil && s.isLiveKit():
				j.sfu, j.of = s, c
			case j.service == nil && s.isService():
				j.service, j.of = s, c
			}
		}
	}
	if j.service == nil && len(j.env) > 0 {
		j.service = &container{name: "service", at: Place{File: j.env[0].name}}
		for _, f := range j.env {
			j.service.environment = lastOf(append(j.service.environment, f.variables...))
		}
	}
	j.config, j.synapse = j.one(j.livekit, "livekit.yaml"), j.one(j.homeserver, "homeserver.yaml")
	for _, s := range []*container{j.sfu, j.service} {
		if s != nil {
			j.lostFiles(s)
		}
	}
	j.inlineConfig()
	if j.sfu != nil && !j.config.there() {
		j.find(Finding{Verb: Add, What: "--from livekit.yaml", Place: j.sfu.at,
			Why:   "setup has not read that file. So the new livekit.yaml has setup's own ports, TURN and other settings.",
			Check: again})
	}
}

// again is the text for Finding.Check in a finding about a file that setup has
// not read.
const again = "run setup again, with this file in --from and a new folder as --dir: this entry is gone."

// inlineConfig takes LiveKit's configuration from the compose file if there is
// no livekit.yaml. A compose file has the configuration in LIVEKIT_CONFIG, or
// below configs.
func (j *judge) inlineConfig() {
	if j.config.there() || j.of == nil {
		return
	}
	if v, found := j.sfu.variable("LIVEKIT_CONFIG"); found {
		j.config, _ = parse(File{v.File, []byte(v.Value.Reveal())})
		return
	}
	for _, e := range j.of.get("configs").entries() {
		t, err := parse(File{j.of.file, []byte(j.of.say(e.value.get("content")))})
		if err == nil && (t.get("rtc").there() || t.get("keys").there()) {
			j.config = t
		}
	}
}

// lostFiles adds a finding about each env file that a container needs and that
// setup has not read. It also adds a finding about variables that no file sets.
func (j *judge) lostFiles(s *container) {
	for _, f := range s.lost {
		j.find(Finding{
			Verb: Add, What: "--from " + f.Value, Place: f.Place,
			Why:   "That file has variables of " + s.name + ", too, and setup has not read the file.",
			Check: again,
		})
	}
	what := "--from with the file that has " + strings.Join(s.unset, " and ")
	if len(s.unset) > 0 && !slices.ContainsFunc(j.Findings, func(f Finding) bool { return f.What == what }) {
		j.find(Finding{
			Verb: Add, What: what, Place: s.at,
			Why:   "The compose file takes these variables from .env beside it, or from the environment. setup has read neither.",
			Check: again,
		})
	}
}

// judge.one chooses a file from a list of files of the same kind: the file that
// LiveKit's container mounts, or else the first file. It adds a finding about
// each of the other files.
func (j *judge) one(list []tree, kind string) tree {
	if len(list) == 0 {
		return tree{}
	}
	chosen := list[0]
	for _, t := range list {
		if j.sfu != nil && j.of != nil && slices.ContainsFunc(j.sfu.mounts, func(m Fact) bool {
			source, _, _ := strings.Cut(m.Value, ":")
			return filepath.Join(filepath.Dir(j.of.file), source) == t.file
		}) {
			chosen = t
		}
	}
	for _, t := range list {
		if t.file != chosen.file {
			j.find(Finding{Verb: Change, What: "--from, which has two of " + kind, Place: Place{File: t.file},
				Why:   "setup read " + chosen.file + ", and not this file.",
				Check: "if the deployment uses this file, run setup again with this one and without the other."})
		}
	}
	return chosen
}

// address is the parsed public URL of the service or of LiveKit.
type address struct {
	host, path string
	Place
}

// addressOf parses the URL text. If the URL is invalid, the returned address
// has no host.
func addressOf(text string, at Place) address {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return address{Place: at}
	}
	return address{strings.ToLower(u.Host), strings.TrimRight(u.Path, "/"), at}
}
