package existing

import (
	"fmt"
	"strings"
)

// least is how many requests about delayed events the homeserver must accept
// from the service in each second. homeserver-additions.yaml has the same
// number.
const least = 10

const versionsCheck = "after a restart of Synapse, `curl -s %s/_matrix/client/versions` prints \"org.matrix.msc4140\":true."

// judgeSynapse adds findings about homeserver.yaml. The operator must make each
// change by hand, because setup never changes homeserver.yaml.
func (j *judge) judgeSynapse() {
	s := j.synapse
	if !s.there() {
		return
	}
	j.delays(s)
	if old := s.get("experimental_features", "msc3266_enabled"); old.there() {
		j.find(Finding{Verb: Drop, What: "msc3266_enabled below experimental_features", Place: old.place(),
			Why: "Synapse always has this feature now, and ignores the line.", Check: "the line is gone from homeserver.yaml."})
	}
	for _, name := range []string{"msc4143_enabled", "msc4222_enabled"} {
		if f := s.get("experimental_features", name); !f.isTrue() {
			j.find(Finding{Verb: Add, What: name + ": true below experimental_features", Place: or(f.place(), s.file),
				Why: "Newer clients check for this feature before they call.", Check: "homeserver.yaml has the same line as homeserver-additions.yaml."})
		}
	}
	j.transports(s)
	j.listeners(s)
}

// delays adds findings about the settings for delayed events.
func (j *judge) delays(s tree) {
	check := fmt.Sprintf(versionsCheck, strings.TrimRight(s.get("public_baseurl").text(), "/"))
	nested := s.get("experimental_features", "max_event_delay_duration")
	switch top := s.get("max_event_delay_duration"); {
	case nested.there():
		j.find(Finding{Verb: Change, What: "max_event_delay_duration below experimental_features", Place: nested.place(),
			Why: "Synapse ignores it there: move the line to the top level, with no blank before it.", Lines: []string{"max_event_delay_duration: " + nested.text()}, Check: check})
	case !top.there():
		j.find(Finding{Verb: Add, What: "max_event_delay_duration at the top level", Place: Place{File: s.file},
			Why: "Without this setting, members who vanished stay in the call.", Lines: []string{"max_event_delay_duration: 24h"}, Check: check})
	}
	if rate := s.get("rc_delayed_event_mgmt", "per_second"); rate.number() < least {
		verb := Change
		if !rate.there() {
			verb = Add
		}
		j.find(Finding{Verb: verb, What: "rc_delayed_event_mgmt", Place: or(rate.place(), s.file),
			Why:   "The service restarts the delayed leaves of all users from one address, and needs 10 requests a second. With fewer, Synapse sends leaves of users who are still in the call.",
			Lines: []string{"rc_delayed_event_mgmt:", "  per_second: 10", "  burst_count: 20"}, Check: "homeserver.yaml has these lines, and Synapse was restarted. During calls, doctor reports nothing about them."})
	}
}

// transports adds a finding if homeserver.yaml does not tell newer clients the
// address of this service. It also checks each address that homeserver.yaml
// tells clients.
func (j *judge) transports(s tree) {
	list := s.get("matrix_rtc", "transports").items()
	if len(list) == 0 {
		j.find(Finding{Verb: Add, What: "matrix_rtc.transports", Place: Place{File: s.file},
			Why: "Newer clients ask the homeserver for the service's address, and get none. homeserver-additions.yaml has the lines.", Check: "doctor says ✓ for the transports."})
	}
	for _, t := range list {
		j.address(t.get("livekit_service_url"))
	}
	for _, t := range s.get("extra_well_known_client_content", foci).items() {
		j.address(t.get("livekit_service_url"))
	}
}

// listeners adds a finding if no listener of Synapse has the resource openid or
// federation. Without one, the service cannot verify OpenID tokens.
func (j *judge) listeners(s tree) {
	list := s.get("listeners")
	for _, l := range list.items() {
		for _, r := range l.get("resources").items() {
			for _, name := range append(r.get("names").items(), r.get("names")) {
				if name.text() == "federation" || name.text() == "openid" {
					return
				}
			}
		}
	}
	if list.there() {
		j.find(Finding{Verb: Add, What: "openid to the resources of a listener", Place: list.place(),
			Why: "The service asks this listener who a user is. The resource federation works, too.", Check: "doctor says ✓ for the homeserver."})
	}
}

// judgeWellKnown adds findings about the well-known file, which older clients
// read.
func (j *judge) judgeWellKnown() {
	for _, t := range j.wellKnown {
		list := t.get(foci).items()
		if len(list) == 0 {
			j.find(Finding{Verb: Add, What: foci + " to the well-known file", Place: Place{File: t.file},
				Why: "Older clients look for the service's address in this file, and find none. well-known-client.json has the lines.", Check: wellKnownCheck})
		}
		if !t.get("m.homeserver", "base_url").there() {
			j.find(Finding{Verb: Add, What: "m.homeserver to the well-known file", Place: Place{File: t.file},
				Why: "Clients need this entry to log in. well-known-client.json has the lines.", Check: wellKnownCheck})
		}
		for _, f := range list {
			j.address(f.get("livekit_service_url"))
		}
		j.otherEntries(t)
	}
}

// otherEntries adds a finding about each entry of the old well-known file that
// the new one lacks.
func (j *judge) otherEntries(t tree) {
	for _, e := range t.entries() {
		if e.key != "m.homeserver" && e.key != foci {
			j.find(Finding{Verb: Add, What: e.key + " to well-known-client.json", Place: e.at,
				Why:   "The old file has this entry, and setup does not write it. Clients mostly need such entries to log in: keep it.",
				Check: "your server name still serves this entry."})
		}
	}
}

const wellKnownCheck = "your server name serves the lines of well-known-client.json, and the header Access-Control-Allow-Origin once."

// address adds a finding if t, the service's URL for clients, does not work for
// clients.
func (j *judge) address(t tree) {
	text := t.text()
	a := addressOf(text, t.place())
	why := ""
	switch {
	case !t.there():
	case a.host == publicService:
		why = "Element's own service does not accept users of other homeservers any more."
	case !strings.HasPrefix(text, "https://"):
		why = "Here clients need the address of this service, which begins with https://. LiveKit's address begins with wss://."
	case strings.HasSuffix(text, "/"):
		why = "Clients append /sfu/get to this address. With the slash at its end, they may ask for //sfu/get."
	}
	if why != "" {
		j.find(Finding{Verb: Change, What: "livekit_service_url " + bare(text), Place: t.place(), Why: why, Check: wellKnownCheck})
	}
}
