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

// connections bounds those to one server. A script takes it some tens of
// microseconds, so that more would only wait there instead of here.
const connections = 32

// target is where to connect to, and as whom.
type target struct {
	options   *redis.Options // of Redis
	cluster   []string       // addresses, nil for a single server
	sentinels *sentinels     // nil without
	password  func() string  // Redis'
	further   []string       // secrets besides
}

func newTarget(o Options, patience time.Duration) target {
	var t target
	if o.URL.Shape() == redisurl.Sentinel {
		t = behindSentinels(o.URL.Failover(), patience, o.Roots)
	} else {
		options := o.URL.Server()
		t.options = &options
		if t.options.TLSConfig != nil && o.Roots != nil {
			t.options.Dialer = dialer(options, patience, o.Roots)
		}
	}
	if o.URL.Shape() == redisurl.Cluster {
		t.cluster = o.URL.Addrs()
	}
	bound(t.options, patience)
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

// dialer connects as options say, within patience, and trusts what roots
// returns.
func dialer(options redis.Options, patience time.Duration, roots func() *x509.CertPool) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		now := options
		now.DialTimeout = patience
		if options.TLSConfig != nil && roots != nil {
			now.TLSConfig = options.TLSConfig.Clone()
			now.TLSConfig.RootCAs = roots()
		}
		return redis.NewDialer(&now)(ctx, network, addr)
	}
}

// bound sets the limits of time and number, whatever the URL asked for, and
// keeps to what Redis 6.0 knows.
func bound(o *redis.Options, patience time.Duration) {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience, patience
	o.ContextTimeoutEnabled = true
	o.PoolSize, o.MaxActiveConns, o.MinIdleConns = connections, connections, 0
	o.DialerRetries = 1
	// A command whose answer was lost may have run: only its caller can tell
	// whether to send it again.
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
		// Every command has a key, whose node is the one to ask.
		DisableRoutingPolicies: true,
	})
}

// secrets returns the passwords as they may come back in a message.
func (t target) secrets() (forms []string) {
	for _, password := range append([]string{t.password()}, t.further...) {
		if password != "" {
			forms = append(forms, password, url.QueryEscape(password), url.PathEscape(password))
		}
	}
	return forms
}

// look is called when a call had no answer: another server may have taken over.
// It does not wait.
func (t target) look(client redis.UniversalClient) {
	switch cluster, ok := client.(*redis.ClusterClient); {
	case ok:
		cluster.ReloadState(context.Background())
	case t.sentinels != nil:
		t.sentinels.look()
	}
}

// silent drops what go-redis would print by itself: what matters comes back as
// an error, with the password taken out.
type silent struct{}

// Printf prints nothing.
func (silent) Printf(context.Context, string, ...any) {}

// The logger is go-redis' own variable, without a lock: it has to be set
// before the first client is made, whoever makes it.
func init() { redis.SetLogger(silent{}) }
