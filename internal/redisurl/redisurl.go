// Package redisurl parses URLs of Redis: of a single server, of a Redis Cluster, or
// of the Sentinels that know which server is the primary.
//
// When a [URL] is printed, user names and passwords are left out. The errors of
// Parse quote no part of the text, because a password that is not percent-encoded
// may be in any part of it.
package redisurl

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/hostport"
)

// Shape is the kind of Redis that a URL names.
type Shape string

// The values of Shape.
const (
	Server   Shape = "server"
	Cluster  Shape = "cluster"
	Sentinel Shape = "Sentinel"
)

// URL is a valid URL of Redis. The zero value is no URL.
type URL struct {
	// parts is a pointer, because fmt also prints unexported fields. For a pointer,
	// fmt prints only the address.
	parts *parts
}

type parts struct {
	shape    Shape
	shown    string // the URL without secrets
	addrs    []string
	server   *redis.Options         // the options for the server, or for every node of a cluster
	failover *redis.FailoverOptions // the options for the Sentinels, and for the server behind them
}

// Parse parses a URL. The error says what is wrong, and what to write instead. The
// first two forms are those of go-redis:
//   - redis://, rediss:// (TLS) or unix:// is the URL of a server.
//   - With master_name, it is the URL of a Sentinel. addr names each further
//     Sentinel.
//   - With cluster=true, it is the URL of a node of a cluster. addr names further
//     nodes.
func Parse(text string) (URL, error) {
	u, err := split(text)
	if err != nil {
		return URL{}, err
	}
	query := u.Query()
	p := &parts{shape: shapeOf(query)}
	switch p.shape {
	case Sentinel:
		err = p.readSentinels(u, query)
	default:
		err = p.readServer(u, query)
	}
	if err != nil {
		return URL{}, err
	}
	p.shown = p.show(u)
	return URL{p}, nil
}

func shapeOf(query url.Values) Shape {
	switch {
	case query.Has("master_name"):
		return Sentinel
	case query.Get("cluster") == "true":
		return Cluster
	}
	return Server
}

// readServer parses the URL of a server, or of a node of a cluster.
func (p *parts) readServer(u *url.URL, query url.Values) error {
	if err := isDatabase(u); err != nil {
		return err
	}
	options, err := redis.ParseURL(without(*u, "cluster", "addr").String())
	if err != nil || options.DB < 0 || !isSwitch(query["skip_verify"]) || options.Network == "tcp" && !hostport.IsAddress(options.Addr) {
		return errParameters
	}
	p.server = options
	p.addrs = slices.Concat([]string{options.Addr}, query["addr"])
	cluster := query["cluster"]
	switch {
	case p.shape == Cluster && (options.Network != "tcp" || options.DB != 0 || len(cluster) > 1 || !allAddresses(query["addr"])):
		return errCluster
	case p.shape == Server && (len(cluster) > 1 || query.Get("cluster") != "" && query.Get("cluster") != "false"):
		return errCluster
	case p.shape == Server && len(query["addr"]) > 0:
		return errFurther
	}
	return nil
}

// readSentinels parses the URL of Sentinels.
func (p *parts) readSentinels(u *url.URL, query url.Values) error {
	names := query["master_name"]
	switch {
	case query.Has("cluster"):
		return errBoth
	case u.Scheme == "unix":
		return errSentinelSocket
	case len(names) != 1 || !isMasterName(names[0]):
		return errMasterName
	case u.Port() == "":
		return errSentinelPort
	case !allAddresses(query["addr"]):
		return errSentinelAddress
	}
	if err := isDatabase(u); err != nil {
		return err
	}
	options, err := redis.ParseFailoverURL(u.String())
	if err != nil || options.DB < 0 || !isSwitch(query["skip_verify"]) {
		return errSentinelParameters
	}
	if options.ReplicaOnly || options.RouteByLatency || options.RouteRandomly {
		return errReplicas
	}
	p.failover, p.addrs = options, options.SentinelAddrs
	return nil
}

// without returns a copy of u that lacks the given query parameters, because
// go-redis does not know them.
func without(u url.URL, names ...string) *url.URL {
	query := u.Query()
	for _, name := range names {
		query.Del(name)
	}
	u.RawQuery = query.Encode()
	return &u
}

// IsZero reports whether u is the zero value, which is no URL.
func (u URL) IsZero() bool { return u.parts == nil }

// Shape returns the kind of Redis that the URL names.
func (u URL) Shape() Shape { return u.parts.shape }

// Addrs returns the addresses in the URL: that of the server, or those of the
// cluster's nodes or of the Sentinels.
func (u URL) Addrs() []string { return slices.Clone(u.parts.addrs) }

// Server returns the options for the server, or for every node of the cluster.
func (u URL) Server() redis.Options { return *u.parts.server }

// Failover returns the options for the Sentinels, and for the server behind
// them.
func (u URL) Failover() redis.FailoverOptions { return *u.parts.failover }

// HasPassword reports whether the URL has the password of Redis itself. In the URL
// of Sentinels, this is the parameter password. In any other URL, it is the
// password in front of the host.
func (u URL) HasPassword() bool {
	if u.parts.failover != nil {
		return u.parts.failover.Password != ""
	}
	return u.parts.server.Password != ""
}

// Unverified reports whether the URL tells the client not to check the server's
// certificate.
func (u URL) Unverified() bool {
	t := u.parts.tls()
	return t != nil && t.InsecureSkipVerify
}

func (p *parts) tls() *tls.Config {
	if p.failover != nil {
		return p.failover.TLSConfig
	}
	return p.server.TLSConfig
}

// String returns the URL without user names, passwords and options of go-redis.
// It returns "" for the zero URL.
func (u URL) String() string {
	if u.parts == nil {
		return ""
	}
	return u.parts.shown
}

// Format writes the text that String returns, for every verb and flag.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue redacts the URL for log/slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText redacts the URL for encoding/json and other encoders.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// show returns u without user names, passwords and options of go-redis.
func (p *parts) show(u *url.URL) string {
	user := ""
	if u.User != nil {
		user = "[redacted]@"
	}
	var query []string
	switch p.shape {
	case Cluster:
		query = append(query, "cluster=true")
	case Sentinel:
		query = append(query, "master_name="+p.failover.MasterName)
	}
	for _, addr := range u.Query()["addr"] {
		query = append(query, "addr="+addr)
	}
	if without(*u, "cluster", "addr", "master_name").RawQuery != "" {
		query = append(query, "[redacted]")
	}
	shown := u.Scheme + "://" + user + u.Host + u.EscapedPath()
	if len(query) > 0 {
		shown += "?" + strings.Join(query, "&")
	}
	return shown
}

// Must is like Parse, but panics if the text is invalid. It is for tests.
func Must(text string) URL {
	u, err := Parse(text)
	if err != nil {
		panic("redisurl: " + err.Error())
	}
	return u
}
