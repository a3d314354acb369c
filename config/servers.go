package config

import (
	"slices"

	"matrixrtc-auth/matrix"
)

// ServerList is a list of homeservers, or all homeservers if Everyone is true.
type ServerList struct {
	Everyone bool
	Servers  []matrix.ServerName
}

// Contains reports whether server is in the list. It compares names exactly, so
// capital and small letters differ.
func (l ServerList) Contains(server matrix.ServerName) bool {
	return l.Everyone || slices.Contains(l.Servers, server)
}

// Named reports whether the operator has named the server. The operator names
// servers in the full-access list, in an override of their address, or as the
// homeserver that says who is joined. A named server may have any address, even
// a private one. Other servers may have private addresses only in
// LIVEKIT_ALLOWED_NETWORKS.
func (c *Config) Named(server matrix.ServerName) bool {
	_, federation := c.FederationURLs[server]
	_, client := c.ClientURLs[server]
	own := server == c.HomeServer() && !server.IsZero()
	return federation || client || own || slices.Contains(c.FullAccess.Servers, server)
}

// HomeServer returns the homeserver that the service asks who is joined. The
// service is registered there, or has a user account there. HomeServer returns
// zero if there is no such homeserver.
func (c *Config) HomeServer() matrix.ServerName {
	switch {
	case c.AppService != nil:
		return c.AppService.Server
	case c.Account != nil:
		return c.Account.Server
	}
	return matrix.ServerName{}
}
