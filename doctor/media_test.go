package doctor_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v5"

	"matrixrtc-auth/doctor/instruments"
)

// inboxes has the inboxes of the participants of each stack.
var inboxes = mailroom{boxes: map[*stack][]chan instruments.Message{}}

type mailroom struct {
	mu    sync.Mutex
	boxes map[*stack][]chan instruments.Message
}

func (m *mailroom) add(s *stack, box chan instruments.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boxes[s] = append(m.boxes[s], box)
}

func (m *mailroom) send(s *stack, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, box := range m.boxes[s] {
		select {
		case box <- instruments.Message{Text: text}:
		default:
		}
	}
}

// startMedia starts the servers that do not speak HTTP: for STUN, ICE over TCP
// and TURN.
func (s *stack) startMedia() {
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { packets.Close() })
	go answerPackets(packets)
	s.route("udp", stunIP+":3478", packets.LocalAddr().String())

	ice := s.listen()
	go answerStreams(ice)
	s.route("tcp", sfuIP+":7881", ice.Addr().String())
	s.startTURN()
}

func (s *stack) listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return l
}

// startTURN starts LiveKit's TURN server at a separate host name: over TLS at
// port 443, and over UDP at port 3478.
func (s *stack) startTURN() {
	cert, there := s.certs[turnHost]
	if !there {
		cert = s.ca.Certificate(turnHost)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	l := s.listen()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	relays := &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "livekit", LoggerFactory: quiet,
		AuthHandler: func(r *turn.RequestAttributes) (string, []byte, bool) {
			return r.Username, turn.GenerateAuthKey(r.Username, r.Realm, "password"), true
		},
		ListenerConfigs: []turn.ListenerConfig{{
			Listener:              tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}),
			RelayAddressGenerator: relays,
		}},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: packets, RelayAddressGenerator: relays}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { server.Close() })
	s.route("tcp", turnIP+":443", l.Addr().String())
	s.route("udp", turnIP+":3478", packets.LocalAddr().String())
}

// bound returns the answer to a binding request.
func bound(request []byte, from net.Addr) []byte {
	m := &stun.Message{Raw: request}
	if m.Decode() != nil {
		return nil
	}
	host, port, _ := net.SplitHostPort(from.String())
	number, _ := net.LookupPort("tcp", port)
	answer, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: net.ParseIP(host), Port: number})
	if err != nil {
		return nil
	}
	return answer.Raw
}

func answerPackets(conn net.PacketConn) {
	request := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(request)
		if err != nil {
			return
		}
		conn.WriteTo(bound(request[:n], from), from)
	}
}

// answerStreams answers STUN binding requests over TCP, if they are signed with the
// session's password.
func answerStreams(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go answerStream(conn)
	}
}

func answerStream(conn net.Conn) {
	defer conn.Close()
	var size uint16
	if binary.Read(conn, binary.BigEndian, &size) != nil {
		return
	}
	request := make([]byte, size)
	if _, err := io.ReadFull(conn, request); err != nil {
		return
	}
	m := &stun.Message{Raw: request}
	if m.Decode() != nil || stun.NewShortTermIntegrity("a-password-of-22-letters").Check(m) != nil {
		return
	}
	answer := bound(request, conn.RemoteAddr())
	conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}
