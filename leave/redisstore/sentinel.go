package redisstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinels are the Sentinels, which know which server is the primary. For each new
// connection, this package asks all Sentinels at the same time, and uses the first
// answer. So it does not wait for a frozen or missing Sentinel. The client of go-redis
// would ask one Sentinel after another. This can take as long as a whole call of the
// store may take.
type sentinels struct {
	master   string
	addrs    []string
	options  func(addr string) *redis.Options
	dial     dialFunc // connects to a Redis server
	callTime time.Duration

	mu      sync.Mutex
	primary string              // the address of the primary, as far as this process knows
	conns   map[*tracked]string // the open connections, with the address of each
	looking bool                // whether look is searching for the primary, in its goroutine
}

// behindSentinels returns the target for the primary. Its address comes from the
// Sentinels in o.
func behindSentinels(o redis.FailoverOptions, callTime time.Duration, roots func() *x509.CertPool) target {
	dial := sentinelDialer(o, callTime, roots)
	s := &sentinels{
		master: o.MasterName, addrs: o.SentinelAddrs, dial: dial, callTime: callTime / 2, conns: map[*tracked]string{},
	}
	s.options = func(addr string) *redis.Options {
		options := &redis.Options{Addr: addr, Username: o.SentinelUsername, Password: o.SentinelPassword, Dialer: dial}
		bound(options, s.callTime)
		options.PoolSize, options.MaxActiveConns = 1, 1
		return options
	}
	options := &redis.Options{
		Addr: "primary", DB: o.DB, ClientName: o.ClientName, Username: o.Username, Password: o.Password,
		Dialer: s.dialPrimary, OnConnect: mustBePrimary,
	}
	return target{options: options, sentinels: s, further: []string{o.SentinelPassword}}
}

// sentinelDialer returns a function that connects to a Sentinel or to Redis. Over TLS,
// the certificate must be for the name that was dialled. If an IP address was dialled,
// because a Sentinel gave this address, the certificate must be for the host in the URL
// that the operator configured.
func sentinelDialer(o redis.FailoverOptions, callTime time.Duration, roots func() *x509.CertPool) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		options := redis.Options{TLSConfig: o.TLSConfig}
		if host, _, err := net.SplitHostPort(addr); err == nil && o.TLSConfig != nil {
			options.TLSConfig = o.TLSConfig.Clone()
			if _, err := netip.ParseAddr(host); err != nil {
				options.TLSConfig.ServerName = host
			}
		}
		return dialer(options, callTime, roots)(ctx, network, addr)
	}
}

var errReplica = errors.New("the server that the Sentinels name is a replica, not the primary")

// mustBePrimary returns an error if the server says that it is a replica. A Sentinel
// that was cut off from the other Sentinels can still name the former primary. If the
// server does not say what it is, mustBePrimary returns no error, because a replica
// refuses writes anyway.
func mustBePrimary(ctx context.Context, conn *redis.Conn) error {
	info, err := conn.Info(ctx, "replication").Result()
	if err == nil && strings.Contains(info, "role:slave") {
		return errReplica
	}
	return nil
}

// sentinelError is the error if no Sentinel has returned an address. It holds the
// errors of the Sentinels.
type sentinelError struct{ error }

// Unwrap returns the errors of the Sentinels.
func (e *sentinelError) Unwrap() error { return e.error }

// dialPrimary connects to the server that is the primary now.
func (s *sentinels) dialPrimary(ctx context.Context, network, _ string) (net.Conn, error) {
	addr, err := s.find(ctx)
	if err != nil {
		return nil, &sentinelError{err}
	}
	s.leaveOthers(addr)
	conn, err := s.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return s.track(conn, addr), nil
}

// find asks all Sentinels at the same time, and returns the first address that comes.
// If no Sentinel returns an address, find returns an error that contains the errors of
// all Sentinels.
func (s *sentinels) find(ctx context.Context) (addr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	type answer struct {
		addr string
		err  error
	}
	answers := make(chan answer, len(s.addrs))
	for _, sentinel := range s.addrs {
		go func() {
			addr, err := s.ask(ctx, sentinel)
			answers <- answer{addr, err}
		}()
	}
	var failed []error
	for range s.addrs {
		a := <-answers
		if a.err == nil {
			return a.addr, nil
		}
		failed = append(failed, a.err)
	}
	return "", errors.Join(failed...)
}

func (s *sentinels) ask(ctx context.Context, sentinel string) (string, error) {
	c := redis.NewSentinelClient(s.options(sentinel))
	defer c.Close()
	parts, err := c.GetMasterAddrByName(ctx, s.master).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", fmt.Errorf("the Sentinel %s does not know the primary %s: %w", sentinel, s.master, err)
	case err != nil:
		return "", fmt.Errorf("the Sentinel %s: %w", sentinel, err)
	case len(parts) != 2:
		return "", fmt.Errorf("the Sentinel %s did not return an address", sentinel)
	}
	return net.JoinHostPort(parts[0], parts[1]), nil
}

// look finds out in a goroutine whether a different server has become the primary. If
// so, it closes the connections to the former primary, because a call over such a
// connection would fail.
func (s *sentinels) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking {
		return
	}
	s.looking = true
	go func() {
		addr, err := s.find(context.Background())
		if err == nil {
			s.leaveOthers(addr)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.looking = false
	}()
}

// leaveOthers closes all connections except those to the primary, whose address is
// addr.
func (s *sentinels) leaveOthers(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if addr == s.primary {
		return
	}
	s.primary = addr
	for conn, to := range s.conns {
		if to != addr {
			conn.Conn.Close()
			delete(s.conns, conn)
		}
	}
}

// tracked is an open connection that [sentinels] knows and can close.
type tracked struct {
	net.Conn
	by *sentinels
}

func (s *sentinels) track(conn net.Conn, addr string) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tracked{conn, s}
	s.conns[t] = addr
	if socket, ok := conn.(syscall.Conn); ok {
		return trackedSocket{t, socket}
	}
	return t
}

// trackedSocket is a tracked connection that gives go-redis access to its socket.
// Before go-redis uses a connection again, it looks at the socket to find out whether
// the server has closed the connection.
type trackedSocket struct {
	*tracked
	syscall.Conn
}

// Close closes the connection and removes it from the open connections.
func (t *tracked) Close() error {
	t.by.mu.Lock()
	delete(t.by.conns, t)
	t.by.mu.Unlock()
	return t.Conn.Close()
}
