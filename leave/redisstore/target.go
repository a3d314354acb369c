package redisstore

import (
	"context"
	"crypto/x509"
	"net"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"matrixrtc-auth/internal/redisurl"
)

// connections is how many connections a store opens to one server at most. A script
// takes tens of microseconds. So more connections would not make calls faster: the
// calls would wait at the server instead of in this process.
const connections = 32

// target says to which servers a store connects, and with which credentials.
type target struct {
	options   *redis.Options // the options for Redis servers
	cluster   []string       // the addresses of the nodes of a cluster; nil for a single server
	sentinels *sentinels     // the Sentinels that know the primary; nil if there are no Sentinels
	password  func() string  // returns the password of Redis
	further   []string       // other secrets that no message may contain
}

func newTarget(o Options, callTime time.Duration) target {
	var t target
	if o.URL.Shape() == redisurl.Sentinel {
		t = behindSentinels(o.URL.Failover(), callTime, o.Roots)
	} else {
		options := o.URL.Server()
		t.options = &options
		if t.options.TLSConfig != nil && o.Roots != nil {
			t.options.Dialer = dialer(options, callTime, o.Roots)
		}
	}
	if o.URL.Shape() == redisurl.Cluster {
		t.cluster = o.URL.Addrs()
	}
	bound(t.options, callTime)
	t.identify(o)
	return t
}

func (t *target) identify(o Options) {
	if o.Username != "" {
		t.options.Username = o.Username
	}
	username, inURL := t.options.Username, t.options.Password
	t.password = func() string {
		if o.Password != nil && !o.Password().IsEmpty() {
			return o.Password().Reveal()
		}
		return inURL
	}
	t.options.CredentialsProvider = func() (string, string) { return username, t.password() }
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer returns a function that connects to a server within callTime. The function
// uses the settings in options. For TLS, it trusts the certificates that roots returns.
func dialer(options redis.Options, callTime time.Duration, roots func() *x509.CertPool) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		now := options
		now.DialTimeout = callTime
		if options.TLSConfig != nil && roots != nil {
			now.TLSConfig = options.TLSConfig.Clone()
			now.TLSConfig.RootCAs = roots()
		}
		return redis.NewDialer(&now)(ctx, network, addr)
	}
}

// bound sets the time limits and the number of connections in o, whatever the URL says.
// It also switches off features of go-redis that Redis 6.0 does not have.
func bound(o *redis.Options, callTime time.Duration) {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = callTime, callTime, callTime, callTime
	o.ContextTimeoutEnabled = true
	o.PoolSize, o.MaxActiveConns, o.MinIdleConns = connections, connections, 0
	o.DialerRetries = 1
	// If an answer is lost, the server may have run the command. Only the caller knows
	// whether the command may be repeated.
	o.MaxRetries = -1
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func (t target) client() redis.UniversalClient {
	if t.cluster == nil {
		return redis.NewClient(t.options)
	}
	o := t.options
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: t.cluster, CredentialsProvider: o.CredentialsProvider, TLSConfig: o.TLSConfig, Dialer: o.Dialer, ClientName: o.ClientName,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolTimeout: o.PoolTimeout,
		ContextTimeoutEnabled: o.ContextTimeoutEnabled, PoolSize: o.PoolSize, MaxActiveConns: o.MaxActiveConns,
		DialerRetries: o.DialerRetries, MaxRetries: o.MaxRetries, Protocol: o.Protocol, DisableIdentity: o.DisableIdentity,
		MaintNotificationsConfig: o.MaintNotificationsConfig,
		// These policies choose a node for commands without a key. The store does not
		// need them: each of its commands has a key, which decides on the node.
		DisableRoutingPolicies: true,
	})
}

// secrets returns the passwords. It returns each password as it is, and in the encoded
// forms that a message can contain.
func (t target) secrets() (forms []string) {
	for _, password := range append([]string{t.password()}, t.further...) {
		if password != "" {
			forms = append(forms, password, url.QueryEscape(password), url.PathEscape(password))
		}
	}
	return forms
}

// look starts to find out whether another server has taken over, and does not wait for
// the result. The store calls look when a command got no answer.
func (t target) look(client redis.UniversalClient) {
	switch cluster, ok := client.(*redis.ClusterClient); {
	case ok:
		cluster.ReloadState(context.Background())
	case t.sentinels != nil:
		t.sentinels.look()
	}
}

// silent is a logger that prints nothing. Log lines of go-redis can contain the
// password. The errors of this package contain what an operator needs to know.
type silent struct{}

// Printf prints nothing.
func (silent) Printf(context.Context, string, ...any) {}

// go-redis keeps its logger in a variable without a lock. So this package sets the
// logger before any client exists.
func init() { redis.SetLogger(silent{}) }
