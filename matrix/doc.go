// Package matrix knows Matrix names and asks homeservers. It finds a server's
// federation API (server-server specification, "Resolving server names"), asks
// it whose an OpenID token is, and manages the delayed events that it holds
// (MSC4140).
package matrix
