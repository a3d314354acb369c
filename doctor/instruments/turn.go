package instruments

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

// TURNServer is a TURN server that the SFU names.
type TURNServer struct {
	Scheme             string // "turn" or "turns"
	Rest               string // what follows the scheme in the server's URL
	Host, Port         string
	Network            string // "udp" or "tcp"
	Username, Password string
}

// TURNServers returns the TURN servers among the STUN and TURN servers that
// the SFU names.
func (m Media) TURNServers() (list []TURNServer) {
	for _, server := range m.Servers {
		for _, u := range server.URLs {
			scheme, rest, _ := strings.Cut(u, ":")
			if scheme != "turn" && scheme != "turns" {
				continue
			}
			s := TURNServer{Scheme: scheme, Rest: rest, Network: "udp", Username: server.Username, Password: server.Password}
			port := "3478"
			if scheme == "turns" {
				port = "5349"
			}
			if scheme == "turns" || strings.HasSuffix(rest, "transport=tcp") {
				s.Network = "tcp"
			}
			s.Host, s.Port = hostPort(rest, port)
			list = append(list, s)
		}
	}
	return list
}

// String returns the server's URL.
func (s TURNServer) String() string { return s.Scheme + ":" + s.Rest }

// hostPort returns the host and the port in the URL of a STUN or TURN server.
// The URL is given without its scheme, like
// "turn.example.org:443?transport=tcp". If it names no port, hostPort returns
// the argument port.
func hostPort(rest, port string) (host, p string) {
	rest, _, _ = strings.Cut(rest, "?")
	if h, given, err := net.SplitHostPort(rest); err == nil {
		return h, given
	}
	return rest, port
}

// TURNStage is how far a request to a TURN server came before it failed.
type TURNStage int

// The stages of a request to a TURN server, in their order.
const (
	TURNConnect TURNStage = iota
	TURNTLS
	TURNRelay
)

// TURNError says why a TURN server assigned no address.
type TURNError struct {
	Stage TURNStage
	At    net.Addr // the server's address; nil if no connection was made
	Err   error
}

func (e *TURNError) Error() string { return e.Err.Error() }
func (e *TURNError) Unwrap() error { return e.Err }

// Allocate asks a TURN server for a relay address, and gives the address back
// immediately. Its error is a [*TURNError].
func (n *Network) Allocate(ctx context.Context, s TURNServer) error {
	raw, err := n.DialHost(ctx, s.Network, net.JoinHostPort(s.Host, s.Port))
	if err != nil {
		return &TURNError{TURNConnect, nil, err}
	}
	defer raw.Close()
	conn, err := n.packets(ctx, raw, s)
	if err != nil {
		return &TURNError{TURNTLS, raw.RemoteAddr(), err}
	}
	if err := n.relay(ctx, conn, s, raw.RemoteAddr().String()); err != nil {
		return &TURNError{TURNRelay, raw.RemoteAddr(), err}
	}
	return nil
}

// packets turns a raw connection into one that a TURN client can use. For the
// scheme turns, it makes a TLS handshake first, and returns an error if that
// fails.
func (n *Network) packets(ctx context.Context, raw net.Conn, s TURNServer) (net.PacketConn, error) {
	switch {
	case s.Scheme == "turns":
		conn := tls.Client(raw, &tls.Config{RootCAs: n.Roots, ServerName: s.Host})
		ctx, cancel := context.WithTimeout(ctx, n.Limit(handshakeTimeout))
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(conn), nil
	case s.Network == "tcp":
		return turn.NewSTUNConn(raw), nil
	}
	return connected{raw}, nil
}

// turnTime bounds the time for one relay address from a TURN server.
const turnTime = 5 * time.Second

// relay gets a relay address from the TURN server at the other end of conn, and
// gives the address back.
func (n *Network) relay(ctx context.Context, conn net.PacketConn, s TURNServer, address string) error {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: address, Conn: conn, Username: s.Username, Password: s.Password, LoggerFactory: quiet,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, n.Limit(turnTime))
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

// connected makes a net.PacketConn of a UDP connection to one peer.
type connected struct{ net.Conn }

func (c connected) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := c.Read(p)
	return n, c.RemoteAddr(), err
}

func (c connected) WriteTo(p []byte, _ net.Addr) (int, error) { return c.Write(p) }
