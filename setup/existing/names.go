package existing

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// serverNames finds the names of the homeservers whose users may start calls.
func (j *judge) serverNames() {
	name := j.synapse.get("server_name")
	j.server = name.text()
	v, found := j.service.variable("LIVEKIT_FULL_ACCESS_HOMESERVERS", "LIVEKIT_LOCAL_HOMESERVERS")
	list := strings.FieldsFunc(v.Value.Reveal(), func(r rune) bool { return r == ',' || r == ' ' })
	switch {
	case slices.Contains(list, "*"):
		j.find(Finding{Verb: Drop, What: "* in " + v.Name, Place: v.Place,
			Why: "With it, users of every homeserver can make rooms on this machine. setup names only your homeserver."})
		list = nil
	case found && v.Name == "LIVEKIT_LOCAL_HOMESERVERS":
		j.find(Finding{Verb: Change, What: "LIVEKIT_LOCAL_HOMESERVERS", Place: v.Place,
			Why: "It is the old name of LIVEKIT_FULL_ACCESS_HOMESERVERS, which .env has now."})
	}
	list = j.trueNames(list, v)
	if len(list) > 0 {
		j.say("server-name", strings.Join(list, ","), v.Place)
	} else if j.server != "" {
		j.say("server-name", j.server, name.place())
	}
	if j.server == "" && len(list) > 0 {
		j.server = list[0]
	}
}

// trueNames corrects the names of the service's homeservers in list. It
// replaces each wrong name by the server_name of homeserver.yaml, and adds a
// finding about the wrong name.
func (j *judge) trueNames(list []string, v Variable) (names []string) {
	if j.server == "" {
		return list
	}
	client := addressOf(j.synapse.get("public_baseurl").text(), Place{})
	for _, name := range list {
		if name != j.server && (name == client.host || strings.Contains(name, "://") || len(list) == 1) {
			j.find(Finding{Verb: Change, What: fmt.Sprintf("%s in %s", name, v.Name), Place: v.Place,
				Why: fmt.Sprintf("The homeserver's name is %s, in %s. The wrong name gave users of %[1]s no right to start calls.", j.server, j.synapse.get("server_name").place())})
			name = j.server
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// publicService is the host of Element's own authorization service. Since 2025
// users of other homeservers cannot use it.
const publicService = "livekit-jwt.call.matrix.org"

// The paths of the service and of LiveKit if both have the same host name.
// setup supports no other paths.
const (
	jwtPrefix = "/livekit/jwt"
	sfuPrefix = "/livekit/sfu"
)

// addresses finds the public URLs of the service and of LiveKit.
func (j *judge) addresses() {
	for _, f := range j.serviceURLs() {
		a := addressOf(f.Value, f.Place)
		switch {
		case a.host == publicService || a.host == "":
			continue
		case j.public[0].host == "":
			j.public[0] = a
		case a.host != j.public[0].host || a.path != j.public[0].path:
			j.host("jwt-host", jwtPrefix, a)
		}
	}
	if v, found := j.service.variable("LIVEKIT_URL"); found {
		j.public[1] = j.livekitURL(v)
	}
	j.ruled()
	j.host("jwt-host", jwtPrefix, j.public[0])
	j.host("sfu-host", sfuPrefix, j.public[1])
}

// serviceURLs returns the service's public URLs in the well-known documents and the
// homeserver's configuration of the old deployment.
func (j *judge) serviceURLs() (list []Fact) {
	add := func(t tree) {
		if text := t.get("livekit_service_url"); text.there() {
			list = append(list, Fact{text.text(), text.place()})
		}
	}
	for _, t := range j.wellKnown {
		for _, f := range t.get(foci).items() {
			add(f)
		}
	}
	for _, t := range j.homeserver {
		for _, f := range append(t.get("matrix_rtc", "transports").items(), t.get("extra_well_known_client_content", foci).items()...) {
			add(f)
		}
	}
	return list
}

func (j *judge) livekitURL(v Variable) address {
	a := addressOf(v.Value.Reveal(), v.Place)
	if before, found := strings.CutSuffix(a.path, "/rtc"); found {
		j.find(Finding{Verb: Change, What: "/rtc at the end of LIVEKIT_URL", Place: v.Place,
			Why: "Clients append /rtc themselves, so they asked for /rtc/rtc."})
		a.path = before
	}
	u, err := url.Parse(v.Value.Reveal())
	if err == nil && u.Scheme != "wss" && u.Scheme != "https" || !strings.Contains(a.host, ".") {
		j.find(Finding{Verb: Change, What: "LIVEKIT_URL", Place: v.Place,
			Why: "Clients get this address, so it must be a public name with wss://. The service reaches LiveKit at http://livekit:7880, which compose.yaml sets."})
		if !strings.Contains(a.host, ".") {
			return address{Place: v.Place}
		}
	}
	return a
}

// host records the host name of the address a as the value of an option. This is
// --single-host if a has a path, or if the service and LiveKit have the same host.
// Otherwise it is the option that the caller names. prefix is the path that setup
// uses with --single-host.
func (j *judge) host(option, prefix string, a address) {
	if a.host == "" {
		return
	}
	shared := j.public[0].host == j.public[1].host && j.public[0].host != ""
	switch {
	case a.path == prefix:
		j.say("single-host", a.host, a.Place)
	case a.path != "" || shared:
		j.say("single-host", a.host, a.Place)
		j.find(Finding{Verb: Change, What: fmt.Sprintf("the path %s of %s", a.path+"/", a.host), Place: a.Place,
			Why:   fmt.Sprintf("The new deployment uses the path %s/. Add the locations for this path to the proxy (reverse-proxy.md). Remove the old locations a day after you have published the new well-known file.", prefix),
			Check: fmt.Sprintf("`curl -i https://%s%s` answers, and still answers a day later, without the old locations.", a.host, prefix)})
	default:
		j.say(option, a.host, a.Place)
	}
}

// ruled takes the host names from the rules in Traefik's labels if no other
// file has them.
func (j *judge) ruled() {
	for i, s := range []*container{j.service, j.sfu} {
		rule, found := s.label(".rule")
		if !found || j.public[i].host != "" {
			continue
		}
		j.public[i] = address{backticked(rule.Value, "Host("), backticked(rule.Value, "PathPrefix("), rule.Place}
	}
}

// backticked returns the first argument of a matcher, like `Host`, in a
// Traefik rule. It returns "" if the rule does not have this matcher.
func backticked(rule, matcher string) string {
	_, after, _ := strings.Cut(rule, matcher)
	argument, _, _ := strings.Cut(strings.TrimLeft(after, "`\"'"), ")")
	argument, _, _ = strings.Cut(argument, ",")
	return strings.TrimRight(strings.ToLower(argument), "`\"'/ ")
}

// homeserverAddresses finds the homeserver's URLs for clients and for the
// service.
func (j *judge) homeserverAddresses() {
	if base := j.synapse.get("public_baseurl"); base.there() {
		j.say("base-url", strings.TrimRight(base.text(), "/"), base.place())
	}
	for _, t := range j.wellKnown {
		if base := t.get("m.homeserver", "base_url"); base.there() {
			j.say("base-url", strings.TrimRight(base.text(), "/"), base.place())
		}
	}
	for _, name := range []string{"LIVEKIT_FEDERATION_URL_OVERRIDES", "LIVEKIT_CS_API_URL_OVERRIDES"} {
		if v, found := j.service.variable(name); found {
			j.override(v)
			return
		}
	}
}

// override takes over the URLs in the variable v. It changes them into the form
// of setup's option --homeserver-url.
func (j *judge) override(v Variable) {
	var list []string
	for part := range strings.SplitSeq(v.Value.Reveal(), ",") {
		server, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			j.find(Finding{Verb: Change, What: fmt.Sprintf("the address of %s in %s", server, v.Name), Place: v.Place,
				Why: "An address needs http:// or https:// before it. This one had no effect, and setup left it out. If the service cannot reach the homeserver under its public name, run setup again with --homeserver-url."})
			continue
		}
		if u.Hostname() == "localhost" || strings.HasPrefix(u.Hostname(), "127.") {
			inside := "host.docker.internal"
			j.find(Finding{Verb: Change, What: text + " in " + v.Name, Place: v.Place,
				Why:   fmt.Sprintf("In the new container, this address is the container itself. setup wrote %s. The homeserver must listen there, too: on the address of Docker's network, not only on 127.0.0.1.", inside),
				Check: "`docker compose exec matrixrtc-auth /matrixrtc-auth doctor` says ✓ for the homeserver."})
			u.Host = strings.Replace(u.Host, u.Hostname(), inside, 1)
		}
		u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/_matrix")
		list = append(list, server+"="+u.String())
	}
	if len(list) > 0 {
		j.say("homeserver-url", strings.Join(list, ","), v.Place)
	}
}
