package sfu

import (
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"

	"matrixrtc-auth/internal/text"
)

// Event is what a webhook reports. It is only certain that the SFU sent it. It
// may be late, repeated or out of order, and an earlier event may be lost.
type Event struct {
	Kind Kind
	// Room and Identity are the participant's. If Kind is KindOther, either may
	// be "".
	Room     Room
	Identity Identity
	// Session is the participant.sid; "" if the SFU did not say.
	Session string
	// Since, Ticket and Machine have the same meaning as in [Participant].
	Since   time.Time
	Ticket  string
	Machine bool
	// Reason is why a participant left, or never had media. It has no meaning
	// for other kinds.
	Reason Reason

	// Name and Disconnect are LiveKit's own words, like "participant_left" and
	// "CLIENT_INITIATED". ID identifies the event in LiveKit's log.
	Name, Disconnect, ID string
	// At is when the event happened, in whole seconds; zero if the SFU did not
	// say.
	At time.Time
}

// Kind says what happened to a participant.
type Kind string

// The kinds of events. For the first three, Event has a room and an identity.
// An event without them is a KindOther. Package handler answers 200 to a
// KindOther, and tells no observer of it (Handler.report).
const (
	KindJoined  Kind = "joined"  // the participant's media is connected
	KindLeft    Kind = "left"    // the participant was in the room, and has left
	KindAborted Kind = "aborted" // the participant never had media, and is gone
	KindOther   Kind = "other"   // the event is not about a participant's presence
)

// roomFinished is LiveKit's name for the event that a room was closed.
const roomFinished = "room_finished"

// ClosesRoom reports whether the event says that the SFU has closed Room and
// removed everybody in it.
func (e Event) ClosesRoom() bool { return e.Name == roomFinished && e.Room != "" }

// Reason says whether another session is likely to follow. leave.Grace.of says how
// long the service waits for the other session: after a clear end not at all.
type Reason string

// The reasons for which a session ends.
const (
	ReasonClear          Reason = "clear"           // the client asked to leave, or was removed, or the room was deleted
	ReasonServerShutdown Reason = "server_shutdown" // the SFU shuts down; clients will come back
	ReasonOther          Reason = "other"           // the connection broke, another session took over (DUPLICATE_IDENTITY), …
)

// parseEvent parses the body of a webhook. It ignores fields and values that it
// does not know, because LiveKit may add some later.
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

// kind returns what LiveKit's event name means for a participant. All names but three
// are a KindOther, also track_*, egress_* and room_finished (Event.ClosesRoom).
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

// reason returns whether another session is likely to follow. Reasons that it does not
// list are a ReasonOther, like DUPLICATE_IDENTITY, MIGRATION and JOIN_FAILURE.
// leave.Grace.of says how long the leave then waits.
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
