package leave

import "time"

// Answer is what the SFU says about whether a participant is there: its record
// and, where the record may be wrong, the answer of the participant's own node.
type Answer struct {
	Asked   time.Time // when the question began
	Session string    // the participant.sid on record, "" if there is none
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
	NodeAnswers  NodeAnswer = "answers" // it holds the participant's session, whatever is on record
	NodeRefuses  NodeAnswer = "refuses" // no node holds the session, or its node is cut off
	NodeSilent   NodeAnswer = "silent"  // it did not answer at once
)

// The further results of asking a node.
const (
	// NodeGone is a refusal for a session that LiveKit has on record: its node is
	// dead, or cut off from LiveKit's Redis ([Job.NodeIsGone]).
	NodeGone = "gone"
	// NodeFailed says that LiveKit gave no usable answer.
	NodeFailed = "failed"
)

// NodeResults returns all results of asking a node.
func NodeResults() []string {
	return []string{string(NodeAnswers), string(NodeRefuses), string(NodeSilent), NodeGone, NodeFailed}
}

// Doubt says how far an answer can be believed before the participant's node
// was asked.
type Doubt int

// The doubts.
const (
	NoDoubt Doubt = iota
	// SlightDoubt: a node that holds the session would say so at once, so a short
	// wait is enough.
	SlightDoubt
	// GraveDoubt: the absence counts only if the node refuses, which takes
	// seconds.
	GraveDoubt
)

const (
	// refusalGap is the least time between two refusals that both count, so that
	// a node that was cut off for a moment does not count as gone.
	refusalGap = 5 * time.Second
	// refusalTime is how long LiveKit takes to refuse.
	refusalTime = 3 * time.Second
	// clockSkew is how much the SFU's clock may differ from ours.
	clockSkew = 2 * time.Second
)

// Doubts says whether to ask the participant's node before a is believed. That
// is so after a refusal, if the participant's leaving was not reported although
// nobody is on record, and if the participant may be back after a loss. A
// participant whose client said that it leaves is gone without that question.
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

// doubtsAbsence is the doubt of the first look that finds nobody on record. The
// participant may have come back, or may never have gone: the end of a session
// can delete the record of the next one.
func (j Job) doubtsAbsence() Doubt {
	if j.Looks == 0 && !j.RoomSeen.IsZero() {
		return SlightDoubt
	}
	return NoDoubt
}

func (j Job) doubtsRecord(a Answer) Doubt {
	if !j.Refused.IsZero() && a.Session == j.Session && a.Session != j.LeftSession {
		return GraveDoubt
	}
	return NoDoubt
}

// isRefused reports whether no node holds the session, by an answer no older
// than refusalGap.
func (j Job) isRefused(a Answer) bool {
	if a.Node != NodeNotAsked {
		return a.Node == NodeRefuses
	}
	return !j.Refused.IsZero() && a.Asked.Sub(j.Refused) < refusalGap
}

// isAsBefore reports whether the record leaves open whether the session is
// over: its state on record has not changed.
func (j Job) isAsBefore(a Answer) bool {
	return a.Session == "" && j.Unrecorded || a.Session != "" && a.Session == j.Session
}

// NodeIsGone reports whether a is the second refusal, at least refusalGap after
// the first, and the record does not say that the session is over. Then its
// node is dead, or cut off from LiveKit's Redis.
func (j Job) NodeIsGone(a Answer) bool {
	return j.State == Connected && a.Node == NodeRefuses && j.isAsBefore(a) &&
		!j.Refused.IsZero() && a.Asked.Sub(j.Refused) >= refusalGap
}

// Expected reports whether a, from a question about the whole room, says
// nothing new about j. A participant who was and is not there, or whom no node
// holds, gets looks of their own.
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

// RoomMatters reports whether an answer of absence makes it necessary to ask
// whether the room exists, because the SFU may have lost the room with
// everybody in it.
func (j Job) RoomMatters() bool { return !j.RoomSeen.IsZero() && !j.ClearLeave }

// Lacks reports whether the SFU has no room although the participant should be
// in it, or may come back to it.
func (j Job) Lacks(a Answer) bool {
	return a.Session == "" && a.RoomAsked && a.RoomMade.IsZero() && j.RoomMatters()
}

// Outlived reports whether the participant was in an earlier room than the one
// created at since. since is zero if there is none.
func (j Job) Outlived(since time.Time) bool {
	return since.IsZero() || !since.Before(j.RoomSeen.Add(clockSkew))
}

// hasLostRoom reports whether the SFU has lost the room with everybody in it. A
// room that stays away was lost once: LiveKit does not record a room again
// whose node still runs it.
func (j Job) hasLostRoom(a Answer) bool {
	switch {
	case !a.RoomAsked:
		return false
	case a.RoomMade.IsZero():
		return !j.RoomLost
	}
	return j.Outlived(a.RoomMade)
}
