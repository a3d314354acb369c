package leave

import "time"

// Answer is the SFU's answer to the question whether a participant is in the room. It
// holds the SFU's record of the participant. If that record may be wrong, it also holds
// the answer of the participant's LiveKit node.
type Answer struct {
	Asked   time.Time // when the keeper began to ask the SFU
	Session string    // the participant.sid in the SFU's record; "" if the SFU has no record
	Node    NodeAnswer
	// RoomAsked says that the keeper also asked the SFU about the room. RoomMade is when
	// the existing room was created, by our clock. It is zero if no room exists.
	RoomAsked bool
	RoomMade  time.Time
	// Outage is how long, from now on, clients may still take to reconnect after an
	// outage of the SFU. It is 0 if there was no outage, or if this time is over.
	Outage time.Duration
}

// NodeAnswer is the answer of the LiveKit node that should hold a participant's
// session.
type NodeAnswer string

// These are the answers of a node.
const (
	NodeNotAsked NodeAnswer = ""
	NodeAnswers  NodeAnswer = "answers" // the node holds the session, even if the SFU's record says otherwise
	NodeRefuses  NodeAnswer = "refuses" // no node holds the session, or the session's node is cut off
	NodeSilent   NodeAnswer = "silent"  // no node answered within half a second
)

// These results of a question to a node are not a [NodeAnswer].
const (
	// NodeGone means that LiveKit has a record of a session, but no node holds it. The
	// session's node is dead, or cut off from LiveKit's Redis ([Job.NodeIsGone]).
	NodeGone = "gone"
	// NodeFailed means that LiveKit gave no usable answer.
	NodeFailed = "failed"
)

// NodeResults returns all possible results of a question to a node.
func NodeResults() []string {
	return []string{string(NodeAnswers), string(NodeRefuses), string(NodeSilent), NodeGone, NodeFailed}
}

// Doubt says how likely it is that the SFU's record is wrong. After the participant's
// node was asked, there is no doubt.
type Doubt int

// These are the degrees of doubt.
const (
	NoDoubt Doubt = iota
	// SlightDoubt means that the keeper waits only a short time for the node's answer. A
	// node that holds the session answers immediately.
	SlightDoubt
	// GraveDoubt means that the keeper waits until the node answers, or until the SFU
	// says that no node holds the session, which takes some seconds. Until then, the
	// participant does not count as absent.
	GraveDoubt
)

const (
	// A refusal is the SFU's answer that no node holds a session. refusalGap is the
	// shortest time between two refusals that both count. So a node that was cut off for
	// a moment does not count as gone.
	refusalGap = 5 * time.Second
	// refusalTime is how long LiveKit takes to say that no node holds a session.
	refusalTime = 3 * time.Second
	// clockSkew is how much the SFU's clock may differ from ours.
	clockSkew = 2 * time.Second
)

// Doubts returns how likely it is that the answer a is wrong. If there is a doubt, the
// keeper also asks the participant's node. These are the reasons for a doubt:
//   - The SFU has a record of the session, but said earlier that no node holds it.
//   - The SFU has no record, and no webhook said that the participant left.
//   - The SFU has lost the room or was away, so the participant may be back.
//   - The SFU says for the first time that there is no record ([Job.Looks] is 0).
//
// There is no doubt if the participant's client said that it leaves. There is also no
// doubt for 5 s (refusalGap) after the SFU has said that no node holds the session.
func (j Job) Doubts(a Answer) Doubt {
	switch {
	case a.Node != NodeNotAsked, j.State == Cancelling, j.isRefused(a), j.ClearLeave:
		return NoDoubt
	case a.Session != "":
		return j.doubtsRecord(a)
	case a.Outage > 0 && j.State != Waiting, j.State == Connected:
		return GraveDoubt
	case j.State == Waiting && a.Asked.Before(j.Deadline.Add(-refusalTime)):
		return j.doubtsAbsence()
	case j.LeftSession == "", a.Outage > 0, j.hasLostRoom(a):
		return GraveDoubt
	case j.State == Leaving:
		return j.doubtsAbsence()
	}
	return NoDoubt
}

// doubtsAbsence does the work of Doubts if the SFU has answered that it has no record
// of the participant. Only the first such answer is in doubt. The participant may be in
// the room although LiveKit has no record: if a participant has begun a new session
// before the old one ends, LiveKit can delete the new session's record at that end.
func (j Job) doubtsAbsence() Doubt {
	if j.Looks == 0 && !j.RoomSeen.IsZero() {
		return SlightDoubt
	}
	return NoDoubt
}

// doubtsRecord does the work of Doubts if the SFU has answered that it has a record of
// the participant's session. Such an answer is in doubt if the SFU said earlier that
// no node holds this session.
func (j Job) doubtsRecord(a Answer) Doubt {
	if !j.Refused.IsZero() && a.Session == j.Session && a.Session != j.LeftSession {
		return GraveDoubt
	}
	return NoDoubt
}

// isRefused reports whether the SFU has said that no node holds the session. If the
// keeper asked the node for the answer a, only that answer counts. Otherwise an earlier
// refusal counts if it came less than refusalGap before a.
func (j Job) isRefused(a Answer) bool {
	if a.Node != NodeNotAsked {
		return a.Node == NodeRefuses
	}
	return !j.Refused.IsZero() && a.Asked.Sub(j.Refused) < refusalGap
}

// isAsBefore reports whether the SFU's record of the participant is the same as before:
// still no record, or a record of the same session. Then the record does not show
// whether the session has ended.
func (j Job) isAsBefore(a Answer) bool {
	return a.Session == "" && j.Unrecorded || a.Session != "" && a.Session == j.Session
}

// NodeIsGone reports whether the session's node is dead, or cut off from LiveKit's
// Redis. To find this out, the keeper needs two answers that no node holds the session:
// the answer a, and an answer at least refusalGap earlier. The SFU's record of the
// participant must be the same in both answers.
func (j Job) NodeIsGone(a Answer) bool {
	return j.State == Connected && a.Node == NodeRefuses && j.isAsBefore(a) &&
		!j.Refused.IsZero() && a.Asked.Sub(j.Refused) >= refusalGap
}

// Expected reports whether an answer says nothing new about j's participant. It is for
// an answer that the keeper got when it asked about the whole room. If Expected reports
// false, for example because the participant has gone, the keeper asks about this
// participant alone.
func (j Job) Expected(a Answer) bool {
	known := j.Refused.IsZero() && j.UnansweredSince.IsZero()
	switch {
	case j.State == Cancelling:
		return true
	case a.Session == "":
		return j.State != Connected || a.Node == NodeAnswers && known && j.Unrecorded
	case !j.Refused.IsZero() && a.Session == j.Session:
		return a.Node == NodeNotAsked
	}
	return j.State == Connected && a.Session == j.Session && a.Node != NodeRefuses && known && !j.Unrecorded
}

// RoomMatters reports whether the keeper must also ask about the room if the SFU says
// that the participant is absent. The SFU may have lost the room with all participants.
func (j Job) RoomMatters() bool { return !j.RoomSeen.IsZero() && !j.ClearLeave }

// Lacks reports whether the answer a says that the room does not exist, although j's
// participant should be in the room or may come back to it.
func (j Job) Lacks(a Answer) bool {
	return a.Session == "" && a.RoomAsked && a.RoomMade.IsZero() && j.RoomMatters()
}

// Outlived reports whether the participant's room has ended. The argument since is when
// the present room was created. It is zero if no room exists.
func (j Job) Outlived(since time.Time) bool {
	return since.IsZero() || !since.Before(j.RoomSeen.Add(clockSkew))
}

// hasLostRoom reports whether the answer a shows that the SFU has lost the room with
// all participants. If the SFU says that the room does not exist, hasLostRoom reports
// true only until j has recorded the loss. The SFU can go on saying so after
// participants have come back, because LiveKit makes no new record of a room that a
// node still runs.
func (j Job) hasLostRoom(a Answer) bool {
	switch {
	case !a.RoomAsked:
		return false
	case a.RoomMade.IsZero():
		return !j.RoomLost
	}
	return j.Outlived(a.RoomMade)
}
