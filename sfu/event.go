package sfu

import (
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"

	"matrixrtc-auth/internal/text"
)

// Event is what a webhook reports. Nothing about it is certain but that the SFU
// said it: it may be late, come twice or out of order, and the one before it
// may be lost.
type Event struct {
	Kind Kind
	// Room and Identity are whose event it is; with KindOther either may be "".
	Room     Room
	Identity Identity
	// Session is the participant.sid, "" if the SFU did not say.
	Session string
	// Since, Ticket and Machine are as in [Participant].
	Since   time.Time
	Ticket  string
	Machine bool
	// Reason is why a participant left or was never connected; for the other
	// kinds it means nothing.
	Reason Reason

	// Name and Disconnect are LiveKit's own words ("participant_left",
	// "CLIENT_INITIATED"), ID is what it calls the event in its log.
	Name, Disconnect, ID string
	// At is when it happened, in whole seconds; zero if the SFU did not say.
	At time.Time
}

// Kind is what happened to a participant.
type Kind string

// The kinds. The first three have a room and an identity.
const (
	KindJoined  Kind = "joined"  // its media is connected
	KindLeft    Kind = "left"    // it was in the room and is no longer
	KindAborted Kind = "aborted" // it never had media, and is gone
	KindOther   Kind = "other"   // nothing about anybody's presence
)

// roomFinished is LiveKit's word for the end of a room.
const roomFinished = "room_finished"

// ClosesRoom reports whether the SFU has closed Room, with everybody in it.
func (e Event) ClosesRoom() bool { return e.Name == roomFinished && e.Room != "" }

// Reason is what the end of a session says about another to follow.
type Reason string

// The reasons.
const (
	ReasonClear          Reason = "clear"           // the client asked for it, or somebody removed it or its room
	ReasonServerShutdown Reason = "server_shutdown" // the SFU ends, clients will come back
	ReasonOther          Reason = "other"           // the connection broke, another session took over, …
)

// parseEvent reads the body of a webhook. Fields and words that LiveKit adds
// one day are passed over.
func parseEvent(body []byte) (Event, error) {
	var w livekit.WebhookEvent
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &w); err != nil {
		return Event{}, rejected(RejectedNotJSON, "%s", text.Clip(err.Error(), maxText))
	}
	p := participant(w.GetParticipant())
	e := Event{
		Kind:       kind(w.GetEvent()),
		Room:       Room(w.GetRoom().GetName()),
		Identity:   p.Identity,
		Session:    p.Session,
		Since:      p.Since,
		Ticket:     p.Ticket,
		Machine:    p.Machine,
		Reason:     reason(w.GetParticipant().GetDisconnectReason()),
		Name:       text.Clip(w.GetEvent(), maxText),
		Disconnect: w.GetParticipant().GetDisconnectReason().String(),
		ID:         text.Clip(w.GetId(), maxText),
	}
	if e.Room == "" || e.Identity == "" {
		e.Kind = KindOther
	}
	if w.GetCreatedAt() > 0 {
		e.At = time.Unix(w.GetCreatedAt(), 0)
	}
	return e, nil
}

func kind(name string) Kind {
	switch name {
	case "participant_joined":
		return KindJoined
	case "participant_left":
		return KindLeft
	case "participant_connection_aborted":
		return KindAborted
	}
	return KindOther
}

func reason(r livekit.DisconnectReason) Reason {
	switch r {
	case livekit.DisconnectReason_CLIENT_INITIATED,
		livekit.DisconnectReason_PARTICIPANT_REMOVED,
		livekit.DisconnectReason_ROOM_DELETED:
		return ReasonClear
	case livekit.DisconnectReason_SERVER_SHUTDOWN:
		return ReasonServerShutdown
	}
	return ReasonOther
}
