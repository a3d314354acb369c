package instruments

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/pion/stun/v3"
)

const (
	// STUNPort is the port of a STUN server whose URL names no port.
	STUNPort = 3478
	// stunWait bounds the wait for the answer to a STUN request. Over UDP, the
	// request is sent once more after half of this time.
	stunWait = 2 * time.Second
	maxSTUN  = 1500
)

// STUN sends a binding request to host:port, and returns the address from which
// the server received the request. Over "tcp" the messages have the framing of
// ICE (RFC 4571).
func (n *Network) STUN(ctx context.Context, network, hostPort string) (netip.AddrPort, error) {
	conn, err := n.DialHost(ctx, network, hostPort)
	if err != nil {
		return netip.AddrPort{}, err
	}
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		conn.Close()
		return netip.AddrPort{}, err
	}
	return askSTUN(ctx, conn, network, request)
}

// askCandidate sends a connectivity check to a candidate, as a participant of
// the session does (RFC 8445, 7.2.2).
func (n *Network) askCandidate(ctx context.Context, c Candidate, m Media) error {
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest,
		stun.NewUsername(m.Username), checking{}, stun.NewShortTermIntegrity(m.Password), stun.Fingerprint)
	if err != nil {
		return err
	}
	conn, err := n.dialAddress(ctx, c.Network, c.Addr.Addr(), strconv.Itoa(int(c.Addr.Port())))
	if err != nil {
		return err
	}
	_, err = askSTUN(ctx, conn, c.Network, request)
	return err
}

// checking adds to a STUN message the attributes of a connectivity check by
// the controlling side. It does not nominate the candidate.
type checking struct{}

func (checking) AddTo(m *stun.Message) error {
	m.Add(stun.AttrPriority, binary.BigEndian.AppendUint32(nil, 1))
	m.Add(stun.AttrICEControlling, binary.BigEndian.AppendUint64(nil, 1))
	return nil
}

// askSTUN sends request over conn, reads the answer, and closes conn.
func askSTUN(ctx context.Context, conn net.Conn, network string, request *stun.Message) (_ netip.AddrPort, err error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var answer []byte
	for range 2 {
		conn.SetDeadline(time.Now().Add(stunWait / 2))
		if answer, err = exchange(conn, network, request.Raw); err == nil || network == "tcp" {
			break
		}
	}
	if err != nil {
		return netip.AddrPort{}, err
	}
	return mapped(answer)
}

// exchange sends a STUN message and reads one.
func exchange(conn net.Conn, network string, message []byte) ([]byte, error) {
	if network == "tcp" {
		message = append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	}
	if _, err := conn.Write(message); err != nil {
		return nil, err
	}
	answer := make([]byte, maxSTUN)
	if network != "tcp" {
		n, err := conn.Read(answer)
		return answer[:n], err
	}
	if _, err := io.ReadFull(conn, answer[:2]); err != nil {
		return nil, err
	}
	size := min(int(binary.BigEndian.Uint16(answer)), len(answer))
	_, err := io.ReadFull(conn, answer[:size])
	return answer[:size], err
}

var errNotSTUN = errors.New("the answer is not a STUN message")

// mapped returns the address in a success response. An error response has no
// address, but shows that the server speaks STUN.
func mapped(answer []byte) (netip.AddrPort, error) {
	message := &stun.Message{Raw: answer}
	if message.Decode() != nil || message.Type.Method != stun.MethodBinding {
		return netip.AddrPort{}, errNotSTUN
	}
	var address stun.XORMappedAddress
	if address.GetFrom(message) != nil {
		return netip.AddrPort{}, nil
	}
	ip, _ := netip.AddrFromSlice(address.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(address.Port)), nil
}
