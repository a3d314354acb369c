// Package appservice owns the registration file of an application service
// (Application Service API, "Registration"), as the homeserver-proxied mode of
// MSC4195 needs it: it parses one, finds its faults, makes a new one and writes
// it. The homeserver reads the same file.
package appservice

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/internal/secret"
)

// A registration must have this scope and this prefix. With any other scope,
// Synapse 1.161 and later does not start. As a prefix, Synapse accepts only
// rtc/livekit or a path below rtc/livekit.
const (
	// scopeIsJoined allows this service to ask whether a user is joined to a
	// room (MSC4502).
	scopeIsJoined = "urn:matrix:client:io.element.msc4502:rooms:is_joined"
	// proxyPrefix is the path prefix of the requests that the homeserver
	// forwards to this service. They are requests to the homeserver's
	// Client-Server and federation APIs (MSC4512).
	proxyPrefix = "rtc/livekit"
)

// maxBytes is the largest size of a registration file that Parse accepts. A
// usual file is many times smaller.
const maxBytes = 64 << 10

// Registration is the content of a registration file.
type Registration struct {
	ID              string
	ASToken         secret.Text // proves the service to the homeserver
	HSToken         secret.Text // proves the homeserver to the service
	SenderLocalpart string
	// URL is the address to which the homeserver pushes events. It is "" if the
	// homeserver pushes none. HasURL says that the registration has the key
	// "url"; without that key, Synapse does not start.
	URL         string
	HasURL      bool
	RateLimited *bool // nil if the file lacks the key; Synapse then assumes true
	Users       []Namespace
	Scopes      []string
	ProxyPrefix string
	ProxyURL    string
	// others are the top-level keys of the file that Parse does not know. Lint
	// looks for misspelt keys among them.
	others []string
}

// Namespace is one entry of namespaces.users.
type Namespace struct {
	Exclusive bool
	Regex     string
}

// document is the structure of a registration file. A key from an MSC has a
// prefix, like io.element.msc4502, until the MSC is in the specification.
type document struct {
	ID              string     `yaml:"id"`
	ASToken         string     `yaml:"as_token"`
	HSToken         string     `yaml:"hs_token"`
	SenderLocalpart string     `yaml:"sender_localpart"`
	URL             *string    `yaml:"url"`
	RateLimited     *bool      `yaml:"rate_limited"`
	Namespaces      namespaces `yaml:"namespaces"`
	Scopes          []string   `yaml:"io.element.msc4502.scopes"`
	ProxyPrefix     string     `yaml:"io.element.msc4512.proxy_prefix"`
	ProxyURL        string     `yaml:"io.element.msc4512.proxy_url"`

	Others map[string]any `yaml:",inline"`
}

type namespaces struct {
	Users []namespace `yaml:"users"`

	Others map[string]any `yaml:",inline"`
}

type namespace struct {
	Exclusive bool   `yaml:"exclusive"`
	Regex     string `yaml:"regex"`

	Others map[string]any `yaml:",inline"`
}

// Parse parses a registration file. It accepts unknown keys, as homeservers do;
// [Registration.Lint] reports unknown keys that look like a mistake. No error
// quotes the file, because the file holds secrets.
func Parse(text []byte) (Registration, error) {
	if len(text) > maxBytes {
		return Registration{}, fmt.Errorf("the registration is larger than %d KiB", maxBytes>>10)
	}
	var d document
	if yaml.Unmarshal(text, &d) != nil {
		return Registration{}, errors.New("the text is not a registration in YAML")
	}
	r := Registration{
		ID: d.ID, SenderLocalpart: d.SenderLocalpart,
		ASToken: secret.New(d.ASToken), HSToken: secret.New(d.HSToken),
		RateLimited: d.RateLimited, Scopes: d.Scopes, ProxyPrefix: d.ProxyPrefix, ProxyURL: d.ProxyURL,
		HasURL: hasKey(text, "url"),
	}
	if d.URL != nil {
		r.URL = *d.URL
	}
	for _, n := range d.Namespaces.Users {
		r.Users = append(r.Users, Namespace{n.Exclusive, n.Regex})
	}
	for key := range d.Others {
		r.others = append(r.others, key)
	}
	return r, nil
}

// hasKey reports whether the document has the key, even if the key's value is
// null.
func hasKey(text []byte, key string) bool {
	var keys map[string]yaml.Node
	_ = yaml.Unmarshal(text, &keys) // cannot fail: the document was parsed before
	_, ok := keys[key]
	return ok
}
