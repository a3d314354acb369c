package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"matrixrtc-auth/matrix"
)

// parseServerNames parses server names that are separated by commas. It
// refuses a name that occurs twice.
func parseServerNames(text string) (servers []matrix.ServerName, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, err := parseServerName(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if slices.Contains(servers, name) {
			return nil, fmt.Errorf("the server name %s occurs twice; write each name once", name)
		}
		servers = append(servers, name)
	}
	return servers, nil
}

// serversIn returns the server names in text, or none if text is not valid.
func serversIn(text string) []matrix.ServerName {
	servers, _ := parseServerNames(text)
	return servers
}

// serverNames checks the names of the homeservers whose users may start calls.
func (b *planner) serverNames() {
	b.Servers = value(b, "server-name", b.serverName, "the part behind the colon in @alice:example.org", parseServerNames)
	if len(b.Servers) > 0 {
		b.Server = b.Servers[0]
	}
	for _, server := range b.Servers {
		if name := server.String(); name != strings.ToLower(name) {
			b.note("--server-name %s has capital letters; write the server name exactly as in your users' ids", name)
		}
		if server.Port() != "" {
			b.note("--server-name %s has a port, which few server names have; write the server name exactly as in your users' ids", server)
		}
	}
}

// addresses maps each server to a URL. For a single server, an option has the
// URL alone. For several servers, an option has a list like NAME=URL,NAME=URL.
type addresses map[matrix.ServerName]string

func parseAddresses(servers []matrix.ServerName, text string, parse func(string) (string, error)) (addresses, error) {
	found := addresses{}
	for part := range strings.SplitSeq(text, ",") {
		server, address, err := oneAddress(servers, strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if found[server] != "" {
			return nil, fmt.Errorf("the server name %s occurs twice; write one address for it", server)
		}
		if found[server], err = parse(address); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// oneAddress splits text, which is NAME=ADDRESS, or only ADDRESS if there is a
// single server.
func oneAddress(servers []matrix.ServerName, text string) (server matrix.ServerName, address string, err error) {
	name, address, isNamed := strings.Cut(text, "=")
	if !isNamed || strings.Contains(name, "://") { // an '=' after :// is part of the URL
		if len(servers) > 1 && !strings.Contains(text, "@") {
			return server, "", fmt.Errorf("%.80q is an address without a server name, and there are several servers: write the name in front, like %s=%.80s", text, servers[0], text)
		}
		if len(servers) > 0 {
			server = servers[0]
		}
		return server, text, nil
	}
	for _, server := range servers {
		if server.String() == name {
			return server, address, nil
		}
	}
	return server, "", fmt.Errorf("%.80q is not one of the server names; write one of these in front of the equals sign: %s", name, withCommas(servers))
}

// withCommas returns the names separated by commas, as the service's variables
// have them.
func withCommas(servers []matrix.ServerName) string {
	var names []string
	for _, server := range servers {
		names = append(names, server.String())
	}
	return strings.Join(names, ",")
}

// homeserver checks the homeservers' public URLs, the URLs at which the service
// reaches them, and their Docker network.
func (b *planner) homeserver() {
	preset := presetBaseURL(b.serverName, b.SingleHost)
	if b.baseURL == "" && len(b.Servers) > 0 {
		b.note("well-known-client.json says that clients reach the homeserver at %s; if that is wrong, give --base-url", preset)
	}
	if text := cmp.Or(b.baseURL, preset); len(b.Servers) > 0 || b.baseURL != "" {
		b.BaseURLs = value(b, "base-url", text, "", b.addresses(parseBaseURL))
	}
	for i, server := range b.Servers {
		if b.BaseURLs != nil && b.BaseURLs[server] == "" {
			b.BaseURLs[server] = presetOf(server, i, b.SingleHost)
			b.note("the well-known file of %s says that clients reach its homeserver at %s; if that is wrong, add %[1]s=URL to --base-url", server, b.BaseURLs[server])
		}
	}
	if b.homeserverURL != "" {
		b.HomeserverURLs = value(b, "homeserver-url", b.homeserverURL, "", b.addresses(parseHomeserverURL))
	}
	if b.homeserverNetwork != "" {
		b.HomeserverNetwork = value(b, "homeserver-network", b.homeserverNetwork, "", parseNetwork)
	}
}

func (b *planner) addresses(parse func(string) (string, error)) func(string) (addresses, error) {
	return func(text string) (addresses, error) { return parseAddresses(b.Servers, text, parse) }
}

// presetBaseURL returns the default of --base-url. It has, for each server, the
// URL at which clients look for the homeserver if there is no well-known file.
func presetBaseURL(serverName, singleHost string) string {
	servers := serversIn(serverName)
	if len(servers) == 1 {
		return presetOf(servers[0], 0, singleHost)
	}
	var list []string
	for i, server := range servers {
		list = append(list, server.String()+"="+presetOf(server, i, singleHost))
	}
	return strings.Join(list, ",")
}

// presetOf returns the default URL of a homeserver. i is its index in the list
// of homeservers. If the service and LiveKit share the host name singleHost,
// the URL of the first homeserver also has that host name.
func presetOf(server matrix.ServerName, i int, singleHost string) string {
	if singleHost != "" && i == 0 {
		return "https://" + strings.ToLower(singleHost)
	}
	return "https://" + strings.ToLower(server.Host())
}

// overrides returns the URLs at which the service reaches the homeservers, in
// the form of LIVEKIT_FEDERATION_URL_OVERRIDES (SERVER=URL, separated by commas).
func (p plan) overrides() string {
	var list []string
	for _, server := range p.Servers {
		if address := p.HomeserverURLs[server]; address != "" {
			list = append(list, server.String()+"="+address)
		}
	}
	return strings.Join(list, ",")
}

// homeserverURLs returns the URLs at which the service reaches the homeservers,
// as a text for use in a sentence.
func (p plan) homeserverURLs() string {
	var list []string
	for _, server := range p.Servers {
		if address := p.HomeserverURLs[server]; address != "" {
			list = append(list, address)
		}
	}
	return strings.Join(list, " and ")
}

// wellKnown is a server, and the name of the file that the server must serve at
// /.well-known/matrix/client.
type wellKnown struct {
	server matrix.ServerName
	file   string
}

// wellKnowns returns the well-known files of all servers.
func (p plan) wellKnowns() (list []wellKnown) {
	for i, server := range p.Servers {
		file := "well-known-client.json"
		if i > 0 {
			file = "well-known-client-" + strings.NewReplacer(":", "_", "[", "", "]", "").Replace(server.String()) + ".json"
		}
		list = append(list, wellKnown{server, file})
	}
	return list
}
