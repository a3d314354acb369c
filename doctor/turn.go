package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// turn asks each TURN server of the SFU for a relay address, as a client behind
// a strict firewall does.
func (e media) turn(ctx context.Context) engine.Finding {
	var good []string
	m, _ := e.told.get()
	for _, server := range m.TURNServers() {
		if f := e.allocate(ctx, server); f.Status != engine.OK {
			return f.In(server.Host)
		}
		good = append(good, clip(server.String()))
	}
	if len(good) == 0 {
		return na("LiveKit hands out no TURN server")
	}
	return ok("%s gave us an address", strings.Join(good, ", "))
}

// allocate asks one TURN server for a relay address, and gives the address
// back.
func (e media) allocate(ctx context.Context, s instruments.TURNServer) engine.Finding {
	p := place{"turn", s.Scheme, s.Host, s.Port}
	v := p.vars()
	v["name"] = s.Host
	failed, _ := errors.AsType[*instruments.TURNError](e.look.Allocate(ctx, s))
	switch {
	case failed == nil:
		return ok("%s", s)
	case failed.Stage == instruments.TURNConnect:
		return e.turnClosed(ctx, p, failed.Err)
	case failed.Stage == instruments.TURNTLS:
		return found("turn-tls", v, "TURN over TLS at %s port %s: %s", s.Host, s.Port, reason(failed.Err))
	case s.Scheme == "turns" && e.isWeb(ctx, s):
		return found("turn-website", v, "TLS at %s port %s is as it should be, but a web server answers there", s.Host, s.Port)
	case e.cannotJudge(s.Network, failed.At):
		v["command"] = "matrixrtc-auth doctor --outside --user …"
		at, _ := netip.ParseAddrPort(failed.At.String()) // the error is nil, because cannotJudge has parsed the same address
		return found("hairpin", v, "%s: %s", s, reason(failed.Err)).In(at.Addr().Unmap().String())
	}
	return found("turn-refused", v, "%s: %s", s, reason(failed.Err))
}

// isWeb reports whether a web server answers at the port of TURN over TLS.
func (e media) isWeb(ctx context.Context, s instruments.TURNServer) bool {
	_, err := e.look.Get(ctx, "https://"+net.JoinHostPort(s.Host, s.Port)+"/")
	return err == nil
}

// cannotJudge reports whether the router may be the reason why a server does
// not answer from inside. Over UDP, a closed port and a lost packet look the
// same.
func (e media) cannotJudge(network string, at net.Addr) bool {
	addr, err := netip.ParseAddrPort(at.String())
	return err == nil && network == "udp" && instruments.IsPublic(addr.Addr()) && !e.o.Outside
}

// turnClosed returns the finding about a TURN server to which doctor cannot
// connect.
func (e media) turnClosed(ctx context.Context, p place, err error) engine.Finding {
	if f := e.reach(ctx, p); f.Status != engine.OK {
		return f
	}
	return found("turn-closed", p.vars(), "%s port %s: %s", p.host, p.port, reason(err))
}
