package config

import (
	"slices"

	"matrixrtc-auth/matrix"
)

// ServerList is a list of homeservers, or everyone.
type ServerList struct {
	Everyone bool
	Servers  []matrix.ServerName
}

// Contains reports whether server is in the list. Names must be equal, case
// included.
func (l ServerList) Contains(server matrix.ServerName) bool {
	return l.Everyone || slices.Contains(l.Servers, server)
}

// Named reports whether the operator named the server: in the full-access list,
// in an override, or as the homeserver that is asked who is joined. Named
// servers may have any address, private ones too.
func (c *Config) Named(server matrix.ServerName) bool {
	_, federation := c.FederationURLs[server]
	_, client := c.ClientURLs[server]
	own := server == c.HomeServer() && !server.IsZero()
	return federation || client || own || slices.Contains(c.FullAccess.Servers, server)
}

// HomeServer returns the homeserver that is asked who is joined: the one at
// which this service is registered, or that of the account; zero for none.
func (c *Config) HomeServer() matrix.ServerName {
	switch {
	case c.AppService != nil:
		return c.AppService.Server
	case c.Account != nil:
		return c.Account.Server
	}
	return matrix.ServerName{}
}
