package config

import (
	"net/url"
	"strings"

	"matrixrtc-auth/matrix"
)

// overrides parses "server=url,server2=url2". If the value may hold a password,
// the fault shows no part of the value, because a comma in the password would
// split the password into entries that look harmless.
func (j *judge) overrides(v value) map[matrix.ServerName]*url.URL {
	urls := map[matrix.ServerName]*url.URL{}
	if strings.ContainsAny(v.get(), "@?") {
		j.fault(v, "holds '@' or '?' (not shown: it may hold a password): a user name, a password or a query is not allowed here; "+
			"write server=url, like example.org=http://synapse:8008")
		return urls
	}
	for _, entry := range split(v.get()) {
		server, u, ok := j.override(v, entry)
		if !ok {
			continue
		}
		if _, twice := urls[server]; twice {
			j.fault(v, "the server %s occurs twice; write one URL for it", shown(server.String()))
		}
		urls[server] = u
	}
	return urls
}

// override parses one entry server=url. It is a fault if the entry has no '=',
// or if its URL does not begin with http:// or https://. With a fault, the
// service does not start.
func (j *judge) override(v value, entry string) (matrix.ServerName, *url.URL, bool) {
	name, address, found := strings.Cut(entry, "=")
	if !found {
		j.fault(v, "%s has no '='; write server=url, like example.org=http://synapse:8008", shown(entry))
		return matrix.ServerName{}, nil, false
	}
	server, nameErr := matrix.ParseServerName(name)
	if nameErr != nil {
		j.fault(v, "%s cannot be a server name: %s", shown(name), whatAServerNameIs)
	} else {
		j.doubt(v, server)
	}
	u, err := parseURL(address, "https", "http")
	if err != nil {
		j.fault(v, "%s %v; write server=url, like example.org=http://synapse:8008", shown(address), err)
	}
	if nameErr != nil || err != nil {
		return matrix.ServerName{}, nil, false
	}
	j.homeserverPath(v, server.String(), u)
	return server, trimSlash(u), true
}
