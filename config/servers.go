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

// Contains reports whether server is in the list: exactly, case included.
func (l ServerList) Contains(server matrix.ServerName) bool {
	return l.Everyone || slices.Contains(l.Servers, server)
}

// Named reports whether the operator named the server: in the full-access
// list, in an override, or as the application service's homeserver. Such
// servers may be anywhere, on private addresses too.
func (c *Config) Named(server matrix.ServerName) bool {
	_, federation := c.FederationURLs[server]
	_, client := c.ClientURLs[server]
	own := c.AppService != nil && c.AppService.Server == server
	return federation || client || own || slices.Contains(c.FullAccess.Servers, server)
}
