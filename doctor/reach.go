package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// place is a host and port that clients connect to.
type place struct {
	what       string // "apex", "service" or "sfu": the causes' names begin with it
	scheme     string
	host, port string
}

func placeOf(what string, u *url.URL) place {
	return place{what, u.Scheme, u.Hostname(), portOf(u.Port(), u.Scheme)}
}

func (p place) vars() vars { return vars{"host": p.host, "port": p.port} }

// attempt is what came of one address.
type attempt struct {
	addr netip.Addr
	err  error
}

func (a attempt) String() string {
	if a.err == nil {
		return a.addr.String() + " answers"
	}
	return a.addr.String() + ": " + reason(a.err)
}

// reach looks up a place and connects to each of its addresses.
func (e *exam) reach(ctx context.Context, p place) Finding {
	addrs, err := e.look.addresses(ctx, p.host, p.port)
	switch {
	case err != nil && isNoSuchName(err):
		return found(p.what+"-no-address", p.vars(), "%s has neither an A nor an AAAA record", p.host)
	case err != nil:
		return found("dns-broken", p.vars(), "%s: %s", p.host, reason(err))
	}
	attempts := make([]attempt, len(addrs))
	var all sync.WaitGroup
	for i, addr := range addrs {
		all.Go(func() { attempts[i] = attempt{addr, e.look.touch(ctx, addr, p.port)} })
	}
	all.Wait()
	return e.judgeReach(p, attempts)
}

// touch connects and hangs up.
func (l *Look) touch(ctx context.Context, addr netip.Addr, port string) error {
	conn, err := l.dialAddress(ctx, "tcp", addr, port)
	if err == nil {
		conn.Close()
	}
	return err
}

// tally is what came of all addresses of a place.
type tally struct {
	good, public int
	behind       int      // those that may be behind NAT loopback
	dead         *attempt // the last of those at which nobody answers
}

// tally sorts what came of the addresses. A machine without IPv6 cannot judge an
// AAAA record, and one behind the same router as a public address cannot judge
// that, unless the router leads another one back.
func (e *exam) tally(attempts []attempt) (t tally) {
	isPublic4 := func(a attempt) bool { return a.addr.Is4() && isPublic(a.addr) }
	canJudge := e.o.Outside || slices.ContainsFunc(attempts, func(a attempt) bool { return a.err == nil && isPublic4(a) })
	for i, a := range attempts {
		if isPublic(a.addr) {
			t.public++
		}
		switch {
		case a.err == nil:
			t.good++
		case noRoute(a):
		case !canJudge && isPublic4(a):
			t.behind++
		default:
			t.dead = &attempts[i]
		}
	}
	return t
}

// judgeReach names what is wrong with a place's addresses.
func (e *exam) judgeReach(p place, attempts []attempt) Finding {
	text := fmt.Sprintf("%s port %s: %s", p.host, p.port, listed(attempts))
	t := e.tally(attempts)
	v := p.vars()
	v["command"] = "curl -sv " + "https://" + net.JoinHostPort(p.host, p.port)
	if p.what == "ice-tcp" {
		v["tcp_port"] = p.port
	}
	if t.dead != nil {
		v["address"], v["address6"] = t.dead.addr.String(), t.dead.addr.String()
	}
	switch {
	case t.good > 0 && t.dead == nil && t.behind == 0:
		return ok("%s", text)
	case t.good > 0 && t.dead == nil:
		f := found("hairpin", v, "%s", text)
		f.blocks = false // what answers can be looked at
		return f
	case t.good > 0 && t.dead.addr.Is6():
		return found("dead-ipv6", v, "%s", text)
	case t.good > 0:
		return found("dead-address", v, "%s", text)
	case t.dead == nil && t.behind == 0:
		return found("ipv6-only", v, "%s", text)
	case !e.o.Outside && t.public > 0:
		return found("hairpin", v, "%s", text)
	}
	return found(p.what+"-closed", v, "%s", text)
}

// noRoute reports whether this machine lacks the address's family.
func noRoute(a attempt) bool {
	return a.addr.Is6() && (errors.Is(a.err, syscall.ENETUNREACH) || errors.Is(a.err, syscall.EADDRNOTAVAIL) || errors.Is(a.err, syscall.EAFNOSUPPORT))
}

// soon is how long before its end a certificate is worth a warning: those who
// renew by themselves do so 30 days before.
const soon = 14 * 24 * time.Hour

// certificate looks at the certificate of a place, as a client would see it.
func (e *exam) certificate(ctx context.Context, p place) Finding {
	if p.scheme == "http" || p.scheme == "ws" {
		return ok("no TLS, as %s:// says", p.scheme)
	}
	raw, err := e.look.dial(ctx, "tcp", net.JoinHostPort(p.host, p.port))
	if err != nil {
		return found(p.what+"-closed", p.vars(), "%s", reason(err))
	}
	defer raw.Close()
	chain, err := handshake(ctx, raw, e.look.tlsConfig(p.host))
	switch {
	case err != nil && reason(err) == noAnswer:
		return found("tls-silent", p.vars(), "%s port %s: %s", p.host, p.port, reason(err))
	case err != nil:
		return found("tls-none", p.vars(), "%s port %s: %s", p.host, p.port, reason(err))
	}
	return e.judgeChain(p, chain)
}

// handshake returns the peer's chain whatever it is worth.
func handshake(ctx context.Context, raw net.Conn, config *tls.Config) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	config.InsecureSkipVerify = true // judgeChain verifies, and says what is wrong
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates, nil
}

func (e *exam) judgeChain(p place, chain []*x509.Certificate) Finding {
	leaf := chain[0]
	now := time.Now()
	v := p.vars()
	seen := fmt.Sprintf("%s port %s: certificate for %s, from %s, until %s", p.host, p.port,
		clip(strings.Join(namesOf(leaf), " ")), clip(leaf.Issuer.CommonName), leaf.NotAfter.UTC().Format(time.DateOnly))
	switch {
	case now.After(leaf.NotAfter) || now.Before(leaf.NotBefore):
		return found("tls-expired", v, "%s", seen)
	case leaf.VerifyHostname(p.host) != nil:
		return found("tls-wrong-name", v, "%s", seen)
	case verify(chain, e.look.Roots) != nil:
		return found("tls-untrusted", v, "%s", seen)
	case leaf.NotAfter.Sub(now) < soon:
		v["days"] = fmt.Sprint(int(leaf.NotAfter.Sub(now).Hours() / 24))
		return found("tls-expires-soon", v, "%s", seen)
	}
	return ok("%s", seen)
}

func namesOf(leaf *x509.Certificate) []string {
	names := leaf.DNSNames[:min(len(leaf.DNSNames), 4)]
	for _, ip := range leaf.IPAddresses[:min(len(leaf.IPAddresses), 4)] {
		names = append(names, ip.String())
	}
	return names
}

func verify(chain []*x509.Certificate, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// noAnswer is the reason of what does not answer at all.
const noAnswer = "no answer in time"

// reason says in a few words why something cannot be reached; it holds no URL.
func reason(err error) string {
	var (
		dns     *net.DNSError
		invalid *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		network net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such name"
	case errors.As(err, &dns):
		return "the name server does not answer"
	case errors.As(err, &invalid):
		return "the certificate is not good: " + clip(invalid.Err.Error())
	case errors.As(err, &record):
		return "no TLS there"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return noAnswer
	}
	return clip(err.Error())
}

// isTLS reports whether a request failed in the TLS handshake.
func isTLS(err error) bool {
	var invalid *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &invalid) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}
