package config

import (
	"slices"
	"strings"
	"unicode"

	"matrixrtc-auth/matrix"
)

const whatAServerNameIs = "a server name is what stands behind the colon of your users' ids, example.org in @alice:example.org"

// split splits a list at commas and white space.
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// fullAccess parses LIVEKIT_FULL_ACCESS_HOMESERVERS, the only list that must
// be set.
func (j *judge) fullAccess(v value) ServerList {
	old := j.variable("LIVEKIT_LOCAL_HOMESERVERS")
	v = j.newest(v, old)
	if !v.isSet() {
		j.missing(": list the servers whose users may create rooms; "+whatAServerNameIs, v, old)
		return ServerList{}
	}
	list := j.servers(v)
	if list.Everyone {
		j.warn(v, Everyone, "\"*\" lets the users of every homeserver create rooms on your SFU; list your own servers instead")
	}
	return list
}

// servers parses a list of server names with commas or spaces between them. It
// leaves out an entry that cannot be a server name. It only warns of such an
// entry, because other authorization services accept it. "*" beside another
// entry is a fault, with which the service does not start.
func (j *judge) servers(v value) ServerList {
	entries := split(v.get())
	switch {
	case len(entries) == 0:
		j.fault(v, "the list is empty; %s", whatAServerNameIs)
	case slices.Contains(entries, "*") && len(entries) > 1:
		j.fault(v, "\"*\" means everyone, so other entries have no effect; remove \"*\", or remove the other entries")
	case entries[0] == "*":
		return ServerList{Everyone: true}
	default:
		return j.serverNames(v, entries)
	}
	return ServerList{}
}

func (j *judge) serverNames(v value, entries []string) ServerList {
	var list ServerList
	for _, entry := range entries {
		server, err := matrix.ParseServerName(entry)
		if err != nil {
			j.warn(v, NotServerName, "%s cannot be a server name, so it is ignored; %s", shown(entry), whatAServerNameIs)
			continue
		}
		if !list.Contains(server) {
			j.doubt(v, server)
			list.Servers = append(list.Servers, server)
		}
	}
	if len(list.Servers) == 0 {
		j.warn(v, NotServerName, "no entry is a server name, so the list matches nobody; write server names like example.org")
	}
	return list
}

// doubt warns of a valid server name that is probably a mistake.
func (j *judge) doubt(v value, server matrix.ServerName) {
	_, isIP := server.IP()
	local := isIP || server.Host() == "localhost"
	var oddity string
	switch {
	case strings.ToLower(server.String()) != server.String():
		oddity = "it has capital letters, and names are compared exactly"
	case !local && server.Port() != "":
		oddity = "it has a port, which few server names have"
	case !local && !strings.Contains(server.Host(), "."):
		oddity = "it has no dot, like the name of a container"
	default:
		return
	}
	j.warn(v, OddServerName, "%s is perhaps a mistake (%s); %s", shown(server.String()), oddity, whatAServerNameIs)
}
