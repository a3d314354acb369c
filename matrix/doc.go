// Package matrix parses Matrix names and asks homeservers. It finds a server's
// federation API (server-server specification, "Resolving server names") and asks
// it to which user an OpenID token belongs. It also manages delayed events at the
// homeservers that hold them (MSC4140).
package matrix
