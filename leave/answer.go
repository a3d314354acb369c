package leave

import "time"

// Answer is what the SFU says about whether a participant is in the room. It
// holds the SFU's record of the participant. If that record may be wrong, it
// also holds the answer of the participant's own node.
type Answer struct {
	Asked   time.Time // when the question began
	Session string    // the participant.sid that the SFU has on record, "" if none
	Node    NodeAnswer
	// RoomAsked says that the SFU was also asked about the room. RoomMade is when
	// the existing room was created, by our clock; zero if there is none.
	RoomAsked bool
	RoomMade  time.Time
	// Outage is how much longer clients may take to reconnect after an outage of
	// the SFU.
	Outage time.Duration
}

// NodeAnswer is what the LiveKit node that should hold the participant's
// session says about it.
type NodeAnswer string

// The answers of a node.
const (
	NodeNotAsked NodeAnswer = ""
	NodeAnswers  NodeAnswer = "answers" // the node holds the participant's session, whatever is on record
	NodeRefuses  NodeAnswer = "refuses" // no node holds the session, or the node that does is cut off
	NodeSilent   NodeAnswer = "silent"  // no node answered at once
)

// The results of asking a node that are not a [NodeAnswer].
const (
	// NodeGone: no node holds a session that LiveKit has on record. The session's
	// node is dead, or cut off from LiveKit's Redis ([Job.NodeIsGone]).
	NodeGone = "gone"
	// NodeFailed: LiveKit gave no usable answer.
	NodeFailed = "failed"
)

// NodeResults returns all results of asking a node.
func NodeResults() []string {
	return []string{string(NodeAnswers), string(NodeRefuses), string(NodeSilent), NodeGone, NodeFailed}
}

// Doubt says how likely an answer from the SFU's records is wrong, as long as the
// participant's node has not been asked.
type Doubt int

// The doubts.
const (
	NoDoubt Doubt = iota
	// SlightDoubt: a node that holds the session would say so at once, so a short
	// wait is enough.
	SlightDoubt
	// GraveDoubt: the participant counts as absent only if the SFU says that no
	// node holds the session. That takes the SFU seconds.
	GraveDoubt
)

const (
	// A refusal is the SFU's answer that no node holds a session. refusalGap is
	// the least time between two refusals that both count, so that a node that was
	// cut off for a moment does not count as gone.
	refusalGap = 5 * time.Second
	// refusalTime is how long LiveKit takes to give such an answer.
	refusalTime = 3 * time.Second
	// clockSkew is how much the SFU's clock may differ from ours.
	clockSkew = 2 * time.Second
)

// Doubts returns how likely a is wrong, and so whether to ask the participant's
// node first. a is in doubt if the SFU said lately that no node holds the session,
// if there is no record although nobody reported that the participant left, or if
// the participant may be back after the SFU lost the room. It is not in doubt if
// the participant's client said that it leaves.
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

// doubtsAbsence returns the doubt about an answer that there is no record of the
// participant. Only the first such answer is in doubt. The participant may have
// come back, or may never have left, because the end of a session can delete the
// record of the next one.
func (j Job) doubtsAbsence() Doubt {
	if j.Looks == 0 && !j.RoomSeen.IsZero() {
		return SlightDoubt
	}
	return NoDoubt
}

// doubtsRecord returns the doubt about an answer that there is a record of the
// participant's session.
func (j Job) doubtsRecord(a Answer) Doubt {
	if !j.Refused.IsZero() && a.Session == j.Session && a.Session != j.LeftSession {
		return GraveDoubt
	}
	return NoDoubt
}

// isRefused reports whether the SFU has said that no node holds the session: in a,
// or less than refusalGap before a.
func (j Job) isRefused(a Answer) bool {
	if a.Node != NodeNotAsked {
		return a.Node == NodeRefuses
	}
	return !j.Refused.IsZero() && a.Asked.Sub(j.Refused) < refusalGap
}

// isAsBefore reports whether the record of the session has not changed. Then
// the record does not show whether the session is over.
func (j Job) isAsBefore(a Answer) bool {
	return a.Session == "" && j.Unrecorded || a.Session != "" && a.Session == j.Session
}

// NodeIsGone reports whether a is the second refusal (no node holds the session),
// at least refusalGap after the first, and the record does not say that the
// session is over. Then the session's node is dead, or cut off from LiveKit's
// Redis.
func (j Job) NodeIsGone(a Answer) bool {
	return j.State == Connected && a.Node == NodeRefuses && j.isAsBefore(a) &&
		!j.Refused.IsZero() && a.Asked.Sub(j.Refused) >= refusalGap
}

// Expected reports whether a, the answer to a question about the whole room, says
// nothing new about j. If a says that the participant has gone, or that no node
// holds the session, the keeper asks about this participant alone.
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

// RoomMatters reports whether the SFU must also be asked about the room when it
// says that the participant is absent. The reason is that the SFU may have lost
// the room with everybody in it.
func (j Job) RoomMatters() bool { return !j.RoomSeen.IsZero() && !j.ClearLeave }

// Lacks reports whether the SFU has no room although the participant should be
// in it, or may come back to it.
func (j Job) Lacks(a Answer) bool {
	return a.Session == "" && a.RoomAsked && a.RoomMade.IsZero() && j.RoomMatters()
}

// Outlived reports whether the participant was in an earlier room than the
// existing one, which was created at since. since is zero if no room exists.
func (j Job) Outlived(since time.Time) bool {
	return since.IsZero() || !since.Before(j.RoomSeen.Add(clockSkew))
}

// hasLostRoom reports whether the SFU has lost the room, with everybody in it, and
// j has not yet recorded that loss. While the room is missing, that counts as one
// loss: LiveKit does not record a room again that a node still runs.
func (j Job) hasLostRoom(a Answer) bool {
	switch {
	case !a.RoomAsked:
		return false
	case a.RoomMade.IsZero():
		return !j.RoomLost
	}
	return j.Outlived(a.RoomMade)
}
