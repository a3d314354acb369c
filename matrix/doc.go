// Package matrix knows Matrix names and asks homeservers: it finds where a
// server's federation API is (server-server specification, "Resolving server
// names"), has it say whose an OpenID token is, and manages the delayed events
// that it holds (MSC4140).
package matrix
