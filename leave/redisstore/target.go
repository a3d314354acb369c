package redisstore

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// connections bounds those to one server. A script takes it some tens of
// microseconds, so that more would only wait there instead of here.
const connections = 32

// target is where to connect to, and as whom.
type target struct {
	options  *redis.Options
	cluster  []string // addresses, nil for a single server
	password func() string
}

// errURL repeats nothing of the URL: a password that is not percent-encoded
// can be in any part of it.
var errURL = errors.New("redisstore: the URL of the Redis server is not usable (not shown: it may hold a password); " +
	"write redis://host:6379/0, rediss:// for TLS, unix:///path or redis://host:6379?cluster=true&addr=host2:6379, " +
	"and percent-encode what is special in the password or give it separately")

func parse(o Options, patience time.Duration) (target, error) {
	u, err := url.Parse(o.URL.Reveal())
	if err != nil {
		return target{}, errURL
	}
	query := u.Query()
	cluster, further := query.Get("cluster"), query["addr"]
	query.Del("cluster")
	query.Del("addr")
	u.RawQuery = query.Encode()
	options, err := redis.ParseURL(u.String())
	if err != nil {
		return target{}, errURL
	}
	t := target{options: options}
	for _, addr := range append(further, options.Addr) {
		if options.Network == "tcp" && !isAddress(addr) {
			return target{}, errURL
		}
	}
	switch {
	case cluster == "true" && options.Network == "tcp" && options.DB == 0:
		t.cluster = slices.Concat([]string{options.Addr}, further)
	case cluster != "" && cluster != "false" || len(further) > 0:
		return target{}, errors.New("redisstore: the URL of the Redis server asks for a cluster in a way that is none: " +
			"write redis://host:6379?cluster=true&addr=host2:6379, with database 0, which is a cluster's only one")
	}
	t.bound(patience)
	t.identify(o)
	return t, nil
}

func isAddress(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
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
	if t.options.TLSConfig != nil && o.Roots != nil {
		t.options.Dialer = dialer(*t.options, o.Roots)
	}
}

// dialer connects as options say, and trusts what roots returns.
func dialer(options redis.Options, roots func() *x509.CertPool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		now := options
		now.TLSConfig = options.TLSConfig.Clone()
		now.TLSConfig.RootCAs = roots()
		return redis.NewDialer(&now)(ctx, network, addr)
	}
}

// bound sets the limits of time and number, whatever the URL asked for, and
// keeps to what Redis 6.0 knows.
func (t target) bound(patience time.Duration) {
	o := t.options
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

// secrets returns the password as it may come back in a message.
func (t target) secrets() []string {
	password := t.password()
	if password == "" {
		return nil
	}
	return []string{password, url.QueryEscape(password), url.PathEscape(password)}
}

// silent drops what go-redis would print by itself: what matters comes back as
// an error, with the password taken out.
type silent struct{}

// Printf prints nothing.
func (silent) Printf(context.Context, string, ...any) {}

// The logger is go-redis' own variable, without a lock: it has to be set
// before the first client is made, whoever makes it.
func init() { redis.SetLogger(silent{}) }
