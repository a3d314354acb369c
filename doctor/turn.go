package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

// turn asks every TURN server that the SFU hands out for an address, as a
// client behind a strict firewall does.
func (e *exam) turn(ctx context.Context) Finding {
	var good []string
	for _, server := range e.joined.media.Servers {
		for _, u := range server.URLs {
			scheme, rest, _ := strings.Cut(u, ":")
			if scheme != "turn" && scheme != "turns" {
				continue
			}
			if f := e.allocate(ctx, scheme, rest, server); f.Status != OK {
				return f
			}
			good = append(good, clip(u))
		}
	}
	if len(good) == 0 {
		return na("LiveKit hands out no TURN server")
	}
	return ok("%s gave us an address", strings.Join(good, ", "))
}

// allocate asks one TURN server for an address and gives it back.
func (e *exam) allocate(ctx context.Context, scheme, rest string, server ICEServer) Finding {
	network, port := "udp", "3478"
	if scheme == "turns" {
		port = "5349"
	}
	if scheme == "turns" || strings.HasSuffix(rest, "transport=tcp") {
		network = "tcp"
	}
	host, port := hostPort(rest, port)
	p := place{"turn", scheme, host, port}
	v := p.vars()
	v["name"] = host
	raw, err := e.look.dial(ctx, network, net.JoinHostPort(host, port))
	if err != nil {
		return e.turnClosed(ctx, p, err)
	}
	defer raw.Close()
	conn, seen := e.packets(ctx, raw, scheme, network, host)
	if conn == nil {
		return found("turn-tls", v, "TURN over TLS at %s port %s: %s", host, port, seen)
	}
	if err := relay(ctx, conn, server, raw.RemoteAddr().String()); err != nil {
		if e.cannotJudge(network, raw) {
			v["command"] = "matrixrtc-auth doctor --outside --user …"
			return found("hairpin", v, "%s:%s: %s", scheme, rest, reason(err))
		}
		return found("turn-refused", v, "%s:%s: %s", scheme, rest, reason(err))
	}
	return ok("%s:%s", scheme, rest)
}

// cannotJudge reports whether silence may be that of the router inside: over
// UDP nobody says that a port is closed.
func (e *exam) cannotJudge(network string, conn net.Conn) bool {
	addr, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	return err == nil && network == "udp" && isPublic(addr.Addr()) && !e.o.Outside
}

// turnClosed is what reach says of a server that cannot be connected to.
func (e *exam) turnClosed(ctx context.Context, p place, err error) Finding {
	if f := e.reach(ctx, p); f.Status != OK {
		return f
	}
	return found("turn-closed", p.vars(), "%s port %s: %s", p.host, p.port, reason(err))
}

// packets has the TURN messages of a client go over a connection; nil and the
// reason if TLS does not come about.
func (e *exam) packets(ctx context.Context, raw net.Conn, scheme, network, host string) (net.PacketConn, string) {
	switch {
	case scheme == "turns":
		conn := tls.Client(raw, &tls.Config{RootCAs: e.look.Roots, ServerName: host})
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, reason(err)
		}
		return turn.NewSTUNConn(conn), ""
	case network == "tcp":
		return turn.NewSTUNConn(raw), ""
	}
	return connected{raw}, ""
}

// turnTime bounds one allocation.
const turnTime = 5 * time.Second

// relay allocates an address at the TURN server that conn leads to.
func relay(ctx context.Context, conn net.PacketConn, server ICEServer, address string) error {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: address, Conn: conn, Username: server.Username, Password: server.Password, LoggerFactory: quiet,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	context.AfterFunc(ctx, client.Close)
	if err := client.Listen(); err != nil {
		return err
	}
	relayed, err := client.Allocate()
	if err != nil {
		return err
	}
	return relayed.Close()
}

// connected is a UDP connection as turn wants it: all goes to and comes from
// the one peer.
type connected struct{ net.Conn }

func (c connected) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := c.Read(p)
	return n, c.RemoteAddr(), err
}

func (c connected) WriteTo(p []byte, _ net.Addr) (int, error) { return c.Write(p) }
