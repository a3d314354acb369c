package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// place is a host and port that clients connect to.
type place struct {
	what       string // "apex", "service" or "sfu": the causes' names begin with it
	scheme     string
	host, port string
}

func placeOf(what string, u *url.URL) place {
	return place{what, u.Scheme, u.Hostname(), instruments.PortOf(u.Port(), u.Scheme)}
}

func (p place) vars() engine.Vars { return engine.Vars{"host": p.host, "port": p.port} }

// reach looks up a place and connects to each of its addresses.
func (e *exam) reach(ctx context.Context, p place) engine.Finding {
	attempts, err := e.look.Reach(ctx, p.host, p.port)
	switch {
	case err != nil && instruments.IsNoSuchName(err):
		return found(p.what+"-no-address", p.vars(), "%s has neither an A nor an AAAA record", p.host)
	case err != nil:
		return found("dns-broken", p.vars(), "%s: %s", p.host, reason(err))
	}
	return e.judgeReach(p, attempts)
}

// tally is what came of all addresses of a place.
type tally struct {
	good, public int
	behind       int                  // those that may be behind NAT loopback
	dead         *instruments.Attempt // the last of those at which nobody answers
}

// tally sorts what came of the addresses. A machine without IPv6 cannot judge an
// AAAA record, and one behind the same router as a public address cannot judge
// that, unless the router leads another one back.
func (e *exam) tally(attempts []instruments.Attempt) (t tally) {
	isPublic4 := func(a instruments.Attempt) bool { return a.Addr.Is4() && instruments.IsPublic(a.Addr) }
	canJudge := e.o.Outside || slices.ContainsFunc(attempts, func(a instruments.Attempt) bool { return a.Err == nil && isPublic4(a) })
	for i, a := range attempts {
		if instruments.IsPublic(a.Addr) {
			t.public++
		}
		switch {
		case a.Err == nil:
			t.good++
		case a.NoRoute():
		case !canJudge && isPublic4(a):
			t.behind++
		default:
			t.dead = &attempts[i]
		}
	}
	return t
}

// judgeReach names what is wrong with a place's addresses.
func (e *exam) judgeReach(p place, attempts []instruments.Attempt) engine.Finding {
	text := fmt.Sprintf("%s port %s: %s", p.host, p.port, listed(attempts))
	t := e.tally(attempts)
	v := p.vars()
	v["command"] = "curl -sv " + "https://" + net.JoinHostPort(p.host, p.port)
	if p.what == "ice-tcp" {
		v["tcp_port"] = p.port
	}
	if t.dead != nil {
		v["address"], v["address6"] = t.dead.Addr.String(), t.dead.Addr.String()
	}
	switch {
	case t.good > 0 && t.dead == nil && t.behind == 0:
		return ok("%s", text)
	case t.good > 0 && t.dead == nil:
		f := found("hairpin", v, "%s", text)
		f.Blocks = false // what answers can be looked at
		return f
	case t.good > 0 && t.dead.Addr.Is6():
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

// soon is how long before its end a certificate is worth a warning: those who
// renew by themselves do so 30 days before.
const soon = 14 * 24 * time.Hour

// certificate looks at the certificate of a place, as a client would see it.
func (e *exam) certificate(ctx context.Context, p place) engine.Finding {
	if p.scheme == "http" || p.scheme == "ws" {
		return ok("no TLS, as %s:// says", p.scheme)
	}
	chain, err := e.look.Certificates(ctx, p.host, p.port)
	switch {
	case errors.Is(err, instruments.ErrConnect):
		return found(p.what+"-closed", p.vars(), "%s", reason(err))
	case err != nil && reason(err) == instruments.NoAnswer:
		return found("tls-silent", p.vars(), "%s port %s: %s", p.host, p.port, reason(err))
	case err != nil:
		return found("tls-none", p.vars(), "%s port %s: %s", p.host, p.port, reason(err))
	}
	return e.judgeChain(p, chain)
}

func (e *exam) judgeChain(p place, chain []*x509.Certificate) engine.Finding {
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
