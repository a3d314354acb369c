package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"matrixrtc-auth/config"
)

// Resolver answers for the addresses of names; a [*net.Resolver] is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Look is all that checks see of the world.
type Look struct {
	// Config is the service's, as far as it can be judged; Warnings and Fault
	// are what [config.Inspect] says of it.
	Config   config.Config
	Warnings []config.Warning
	Fault    error

	// DNS answers for addresses, SRV for service records.
	DNS Resolver
	SRV *net.Resolver
	// Dial connects to an IP address and port: network is "tcp" or "udp".
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the certificates to trust; nil means the system's.
	Roots *x509.CertPool
	// ReadFile reads a local file of up to maxFile bytes.
	ReadFile func(name string) ([]byte, error)
	// Stat returns the mode of a local file, and more.
	Stat func(name string) (fs.FileInfo, error)
	// Group is this process's, by number.
	Group int
	// Join joins a room of the SFU.
	Join func(ctx context.Context, url, token string) (Participant, error)
	// Version is this program's.
	Version string

	// resolve is what --resolve says: host:port → address.
	resolve map[string]netip.Addr
	client  *http.Client
}

// NewLook returns a Look at the real world.
func NewLook(version string) *Look {
	resolver := &net.Resolver{PreferGo: true}
	dialer := &net.Dialer{Timeout: dialTimeout}
	l := &Look{DNS: resolver, SRV: resolver, Dial: dialer.DialContext, ReadFile: readFile, Stat: os.Stat, Group: os.Getgid(), Version: version}
	l.Join = l.joinLiveKit
	return l
}

// maxFile bounds a file that is read, in bytes.
const maxFile = 1 << 20

// readFile reads a file whole, or none of it if it is longer than maxFile.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, fmt.Errorf("the file is longer than %d bytes", maxFile)
	}
	return text, err
}

// silent is the log of servers whose clients are ourselves.
var silent = log.New(io.Discard, "", 0)

const (
	dialTimeout      = 3 * time.Second
	handshakeTimeout = 4 * time.Second
	// maxAddresses bounds the addresses of one name that are tried.
	maxAddresses = 8
)

// addresses returns those of a host for a port, IPv4 before IPv6: what
// --resolve says, the literal, or what DNS says. The error is that of the
// family that failed when there is no address at all.
func (l *Look) addresses(ctx context.Context, host, port string) ([]netip.Addr, error) {
	if addr, ok := l.resolve[strings.ToLower(host)+":"+port]; ok {
		return []netip.Addr{addr}, nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{addr}, nil
	}
	var all []netip.Addr
	var failure error
	for _, network := range []string{"ip4", "ip6"} {
		addrs, err := l.DNS.LookupNetIP(ctx, network, host)
		for _, addr := range addrs {
			all = append(all, addr.Unmap())
		}
		if err != nil && (failure == nil || !isNoSuchName(err)) {
			failure = err
		}
	}
	if len(all) > 0 {
		return all[:min(len(all), maxAddresses)], nil
	}
	if failure == nil {
		failure = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return nil, failure
}

func isNoSuchName(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// isDNSBroken reports whether no name server said whether there is such a name.
func isDNSBroken(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && !dns.IsNotFound
}

// dial connects to host:port, one address after the other.
func (l *Look) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addrs, err := l.addresses(ctx, host, port)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, addr := range addrs {
		conn, err := l.dialAddress(ctx, network, addr, port)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

func (l *Look) dialAddress(ctx context.Context, network string, addr netip.Addr, port string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return l.Dial(ctx, network, net.JoinHostPort(addr.String(), port))
}

func (l *Look) tlsConfig(name string) *tls.Config {
	return &tls.Config{RootCAs: l.Roots, ServerName: name, NextProtos: []string{"http/1.1"}}
}

// http returns the client of all checks: HTTP/1.1 over connections of their
// own, no proxy, no redirect followed.
func (l *Look) http() *http.Client { return l.client }

func (l *Look) newClient() *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            l.dial,
			TLSClientConfig:        &tls.Config{RootCAs: l.Roots},
			TLSHandshakeTimeout:    handshakeTimeout,
			Protocols:              &protocols,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 32 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// parseResolve reads host:port:address, as curl's --resolve has it.
func parseResolve(text string) (hostPort string, addr netip.Addr, err error) {
	host, rest, _ := strings.Cut(text, ":")
	port, address, found := strings.Cut(rest, ":")
	addr, err = netip.ParseAddr(strings.Trim(address, "[]"))
	n, notPort := strconv.ParseUint(port, 10, 16)
	if !found || host == "" || notPort != nil || n == 0 || err != nil {
		return "", netip.Addr{}, fmt.Errorf("%q is not of the form host:port:address", text)
	}
	return fmt.Sprintf("%s:%d", strings.ToLower(host), n), addr.Unmap(), nil
}

// notRouted are the networks besides the private ones that no router of the
// internet leads to.
var notRouted = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10")}

// isPublic reports whether an address is one that the internet may reach.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsGlobalUnicast() && !addr.IsPrivate() &&
		!slices.ContainsFunc(notRouted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// portOf returns the port of a URL's host, or its scheme's.
func portOf(port, scheme string) string {
	byScheme := map[string]string{"https": "443", "wss": "443", "http": "80", "ws": "80"}
	return cmp.Or(port, byScheme[scheme])
}

// sameAddress reports whether two URLs lead to one place, however they are
// written.
func sameAddress(a, b string) bool { return plainAddress(a) == plainAddress(b) }

// plainAddress writes out the port, and the host in small letters, without a
// slash at the end.
func plainAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return text
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), portOf(u.Port(), u.Scheme)) + strings.TrimRight(u.EscapedPath(), "/")
}
