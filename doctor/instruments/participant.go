package instruments

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"
)

// Participant is a participant in a room of the SFU, with which doctor tests
// calls.
type Participant interface {
	// Media returns what the SFU has told the participant about media, and how
	// media travels.
	Media() Media
	// Send sends a text to everybody in the room.
	Send(text string) error
	// Received returns a channel with the texts of other participants. A text
	// that is not read soon is dropped.
	Received() <-chan Message
	Leave()
}

// Message is a text from another participant, with the identity that the SFU
// gives this participant.
type Message struct{ From, Text string }

// Media is what the SFU has told a participant about media.
type Media struct {
	Candidates []Candidate
	// Username and Password are the credentials for STUN requests of this
	// session.
	Username, Password string
	// Servers are the STUN and TURN servers that the SFU names.
	Servers []ICEServer
	// Way is how media travels: "udp", "tcp" or "relay"; "" if it does not travel.
	Way string
}

// Candidate is an address at which the SFU says that it receives media.
type Candidate struct {
	Network string // "udp" or "tcp"
	Addr    netip.AddrPort
}

func (c Candidate) String() string { return c.Addr.String() + "/" + c.Network }

// ICEServer is a STUN or TURN server that the SFU names, like
// "turns:turn.example.org:443?transport=tcp".
type ICEServer struct {
	URLs               []string
	Username, Password string
}

// JoinError is the error of a join that failed, with what the SFU had told the
// participant before.
type JoinError struct {
	Media Media
	Err   error
}

func (e *JoinError) Error() string { return e.Err.Error() }
func (e *JoinError) Unwrap() error { return e.Err }

const (
	// roundTrip bounds how long a text may take to reach the other participant. The
	// sender repeats the text every 250 ms (resend), because the other participant
	// can receive only after a moment.
	roundTrip = 5 * time.Second
	resend    = 250 * time.Millisecond
	// MaxCandidates bounds how many ICE candidates of LiveKit doctor examines.
	MaxCandidates = 16
)

// Deliver sends a text from one participant again and again until the other
// has received it.
func Deliver(ctx context.Context, from, to Participant) error {
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	again := time.NewTicker(resend)
	defer again.Stop()
	text := ProbeName()
	for {
		if err := from.Send(text); err != nil {
			return err
		}
		select {
		case got := <-to.Received():
			if got.Text == text {
				return nil
			}
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("no data arrived within %s", roundTrip)
		}
	}
}

// ProbeName returns a random name that no other run uses.
func ProbeName() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // Read never fails
	return "doctor-" + hex.EncodeToString(random[:])
}
