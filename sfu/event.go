package sfu

import (
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"

	"matrixrtc-auth/internal/text"
)

// Event is what a webhook reports. It certainly comes from the SFU, but it may
// be late, repeated or out of order, and an earlier event may be lost.
type Event struct {
	Kind Kind
	// Room and Identity say who the event is about. If Kind is KindOther, each
	// of them may be "".
	Room     Room
	Identity Identity
	// Session is the participant's sid, or "" if the SFU sent none.
	Session string
	// Since, Ticket and Machine have the same meaning as in [Participant].
	Since   time.Time
	Ticket  string
	Machine bool
	// Reason is why the participant left (KindLeft) or never had media
	// (KindAborted). Ignore it for other kinds.
	Reason Reason

	// Name and Disconnect are LiveKit's names for the event and the reason,
	// like "participant_left" and "CLIENT_INITIATED". ID identifies the event
	// in LiveKit's log.
	Name, Disconnect, ID string
	// At is the time of the event in whole seconds. It is zero if the SFU sent
	// no time.
	At time.Time
}

// Kind says what happened to a participant.
type Kind string

// These are the kinds of events. An event of the first three kinds has a room
// and an identity. A webhook without them becomes a KindOther. Package handler
// answers 200 to an event of KindOther, and tells no observer about it
// (Handler.report).
const (
	KindJoined  Kind = "joined"  // the participant's media connection is ready
	KindLeft    Kind = "left"    // the participant was in the room, and has left
	KindAborted Kind = "aborted" // the participant never had media, and is gone
	KindOther   Kind = "other"   // the event is not about a participant's presence
)

// roomFinished is LiveKit's name for the event that a room was closed.
const roomFinished = "room_finished"

// ClosesRoom reports whether the event says that the SFU has closed the room
// and removed everybody in it.
func (e Event) ClosesRoom() bool { return e.Name == roomFinished && e.Room != "" }

// Reason is why a session ended. It tells how likely the client is to come back
// with another session. leave.Grace.of says how long the service waits for the
// client. After a ReasonClear it does not wait.
type Reason string

// These are the reasons for which a session ends.
const (
	ReasonClear          Reason = "clear"           // the client asked to leave, or was removed, or the room was deleted
	ReasonServerShutdown Reason = "server_shutdown" // the SFU shuts down, and clients will come back
	ReasonOther          Reason = "other"           // every other reason: the connection broke, another session took over (DUPLICATE_IDENTITY), …
)

// parseEvent parses the body of a webhook. It ignores fields and values that it
// does not know, because later versions of LiveKit may add some.
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

// kind returns the Kind for LiveKit's name of an event. It is KindOther for
// every name that is not about a participant's presence, like track_*, egress_*
// and room_finished (Event.ClosesRoom).
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

// reason returns the Reason for LiveKit's reason r. Any reason that is not
// listed below is a ReasonOther, like DUPLICATE_IDENTITY, MIGRATION and
// JOIN_FAILURE. leave.Grace.of says how long the service then waits before it
// sends the leave.
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
