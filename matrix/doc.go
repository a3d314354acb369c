// Package matrix knows Matrix names and asks homeservers: it finds where a
// server's federation API is (server-server specification, "Resolving server
// names") and has the server say whose an OpenID token is.
package matrix
