package doctor

import (
	"context"
	"crypto/sha256"
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

// place is a host and port to which clients connect.
type place struct {
	what       string // how the ids of causes about this place begin: "apex", "service", "sfu" …
	scheme     string
	host, port string
}

func placeOf(what string, u *url.URL) place {
	return place{what, u.Scheme, u.Hostname(), instruments.PortOf(u.Port(), u.Scheme)}
}

func (p place) vars() engine.Vars { return engine.Vars{"host": p.host, "port": p.port} }

// at returns the place in the form of engine.Finding.At.
func (p place) at() string { return atPort(p.host, p.port) }

// atPort returns a host or an address with its port, in the form of
// engine.Finding.At.
func atPort(host, port string) string { return net.JoinHostPort(strings.ToLower(host), port) }

// everywhere returns p itself and each address of p, in the form of
// engine.Finding.At. It is for a finding about a program that can answer in the
// same way for every host name. Such a finding is about all these places.
func (e *exam) everywhere(ctx context.Context, p place) []string {
	list := []string{p.at()}
	addrs, _ := e.look.Addresses(ctx, p.host, p.port) // if the look-up fails, addrs is empty, and p.at() is the only place
	for _, addr := range addrs {
		list = append(list, atPort(addr.String(), p.port))
	}
	return list
}

// reach looks p's host up, and connects to each of its addresses.
func (e *exam) reach(ctx context.Context, p place) engine.Finding {
	attempts, err := e.look.Reach(ctx, p.host, p.port)
	switch {
	case err != nil && instruments.IsNoSuchName(err):
		return found(p.what+"-no-address", p.vars(), "%s has neither an A nor an AAAA record", p.host).In(p.at())
	case err != nil:
		return found("dns-broken", p.vars(), "%s: %s", p.host, reason(err))
	}
	return e.judgeReach(p, attempts)
}

// tally counts the addresses of one place by what happened when doctor connected to
// them.
type tally struct {
	good, public int
	refused      int                  // addresses of this machine that refused the connection, because nothing listens there
	behind       int                  // public addresses without an answer that may be this machine's own router (NAT loopback)
	private      int                  // private addresses without an answer
	dead         *instruments.Attempt // the last address that did not accept a connection although this machine has a route to it; never one that counts as behind
}

// tally counts the attempts by their results. If this machine has no IPv6, it
// leaves out IPv6 addresses.
//
// A public IPv4 address may be that of this machine's own router. Many routers do
// not forward connections that come from inside. So if doctor runs inside, and no
// public IPv4 address accepts a connection, such an address is counted in behind,
// and does not become dead.
func (e *exam) tally(attempts []instruments.Attempt) (t tally) {
	isPublic4 := func(a instruments.Attempt) bool { return a.Addr.Is4() && instruments.IsPublic(a.Addr) }
	canJudge := e.o.Outside || slices.ContainsFunc(attempts, func(a instruments.Attempt) bool { return a.Err == nil && isPublic4(a) })
	for i, a := range attempts {
		own := a.Refused() && e.look.IsOwn(a.Addr)
		if instruments.IsPublic(a.Addr) {
			t.public++
		}
		if a.Err != nil && a.Addr.IsPrivate() && !a.Refused() {
			t.private++
		}
		switch {
		case own:
			t.refused++
			t.dead = &attempts[i]
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

// judgeReach returns the finding about the addresses of p. If some addresses
// answer and another does not, that is a fault (dead-ipv6, dead-address). The
// checks that need p are made nevertheless. If no address answers, those checks
// are not made.
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
		f := e.hairpin(p, v, attempts, text)
		f.Blocks = false // some addresses answer, so the other checks can be made
		return f
	case t.good > 0 && t.dead.Addr.Is6(): // the causes dead-ipv6 and dead-address do not prevent the checks that need p (Cause.Spares)
		return found("dead-ipv6", v, "%s", text).In(p.at(), atPort(v["address"], p.port))
	case t.good > 0:
		return found("dead-address", v, "%s", text).In(p.at(), atPort(v["address"], p.port))
	case t.dead == nil && t.behind == 0:
		return found("ipv6-only", v, "%s", text).In(silent(p, attempts)...)
	case !e.o.Outside && t.public > t.refused:
		return e.hairpin(p, v, attempts, text)
	}
	if e.o.Outside && t.private == len(attempts) { // inside, private addresses are no fault: the operator's own name server may return them on purpose
		return found("address-private", v, "%s", text).In(silent(p, attempts)...)
	}
	return found(p.what+"-closed", v, "%s", text).In(silent(p, attempts)...)
}

// hairpin returns the warning that public addresses do not answer a machine
// inside their own network. The warning also names these addresses without a
// port, because a router forwards either all ports back inside or none. After
// this warning, doctor skips the checks that need p, unless the caller of hairpin
// sets the warning's field Blocks to false.
func (e *exam) hairpin(p place, v engine.Vars, attempts []instruments.Attempt, text string) engine.Finding {
	f := found("hairpin", v, "%s", text).In(silent(p, attempts)...)
	for _, a := range attempts {
		if a.Err != nil {
			f = f.In(a.Addr.String())
		}
	}
	return f
}

// silent returns p and those of its addresses that did not answer, in the form
// of engine.Finding.At.
func silent(p place, attempts []instruments.Attempt) []string {
	list := []string{p.at()}
	for _, a := range attempts {
		if a.Err != nil {
			list = append(list, atPort(a.Addr.String(), p.port))
		}
	}
	return list
}

// doctor warns of a certificate that ends within 14 days (soon). Programs renew
// certificates 30 days before the end.
const soon = 14 * 24 * time.Hour

// certificate checks the certificate of p in the way a client does.
func (e *exam) certificate(ctx context.Context, p place) engine.Finding {
	if p.scheme == "http" || p.scheme == "ws" {
		return ok("no TLS, as %s:// says", p.scheme)
	}
	chain, err := e.look.Certificates(ctx, p.host, p.port)
	switch {
	case errors.Is(err, instruments.ErrConnect):
		return found(p.what+"-closed", p.vars(), "%s", reason(err)).In(e.everywhere(ctx, p)...)
	case err != nil && reason(err) == instruments.NoAnswer && e.look.AnswersSmall(ctx, p.host, p.port):
		return found("packets-lost", p.vars(), "%s port %s: TLS succeeds with small packets, but not with packets of the usual size", p.host, p.port).In(e.everywhere(ctx, p)...)
	case err != nil && reason(err) == instruments.NoAnswer:
		return found("tls-silent", p.vars(), "%s port %s: %s", p.host, p.port, reason(err)).In(e.everywhere(ctx, p)...)
	case instruments.IsOldTLS(err):
		return found("tls-old", p.vars(), "%s port %s: %s", p.host, p.port, reason(err)).In(e.everywhere(ctx, p)...)
	case err != nil && p.what == "sfu" && p.port != "443" && e.isLiveKit(ctx, "http://"+net.JoinHostPort(p.host, p.port)):
		return found("sfu-url-port", p.vars().Or(engine.Vars{"sfu": e.sfuAt}), "%s port %s: %s, and LiveKit answers there", p.host, p.port, reason(err))
	case err != nil:
		return found("tls-none", p.vars(), "%s port %s: %s", p.host, p.port, reason(err)).In(e.everywhere(ctx, p)...)
	}
	f := e.judgeChain(p, chain).In(p.at())
	if f.Cause != nil && f.Cause.ID != "tls-wrong-name" { // each host name that is missing in the certificate is a fault of its own
		f = f.In(fmt.Sprintf("certificate %x", sha256.Sum256(chain[0].Raw)))
	}
	return f
}

func (e *exam) judgeChain(p place, chain []*x509.Certificate) engine.Finding {
	leaf := chain[0]
	now := time.Now()
	v := p.vars()
	seen := fmt.Sprintf("%s port %s: certificate for %s, from %s, until %s", p.host, p.port,
		clip(strings.Join(namesOf(leaf), " ")), clip(leaf.Issuer.CommonName), leaf.NotAfter.UTC().Format(time.DateOnly))
	switch {
	case now.Before(leaf.NotBefore):
		v["from"] = leaf.NotBefore.UTC().Format(time.RFC3339)
		return found("tls-early", v, "%s, and from %s on; here it is %s", seen, v["from"], now.UTC().Format(time.RFC3339))
	case now.After(leaf.NotAfter):
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
