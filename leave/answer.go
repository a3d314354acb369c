package leave

import "time"

// Answer is what the SFU said when it was asked whether a participant is there:
// what it has recorded, and where that may be wrong, what the participant's own
// node says.
type Answer struct {
	Asked   time.Time // when the question began
	Session string    // the participant.sid on record, "" for none
	Node    NodeAnswer
	// RoomAsked says that the SFU was asked for the room, too, and RoomMade when
	// the one that is there was made, by our clock; zero while there is none.
	RoomAsked bool
	RoomMade  time.Time
	// Outage is how much longer clients may take to come back to an SFU that
	// was away.
	Outage time.Duration
}

// NodeAnswer is what the participant's own node said.
type NodeAnswer string

// The answers of a node.
const (
	NodeNotAsked NodeAnswer = ""
	NodeAnswers  NodeAnswer = "answers" // it has the participant, whatever is on record
	NodeRefuses  NodeAnswer = "refuses" // no node has the participant, or its node is cut off
	NodeSilent   NodeAnswer = "silent"  // it did not answer at once
)

// What comes of a question to a node besides its answers.
const (
	// NodeGone is a refusal that says that the node is dead, or cut off from
	// LiveKit's Redis: LiveKit has the session on record ([Job.NodeIsGone]).
	NodeGone = "gone"
	// NodeFailed says that LiveKit did not tell.
	NodeFailed = "failed"
)

// NodeResults are all that comes of questions to nodes.
func NodeResults() []string {
	return []string{string(NodeAnswers), string(NodeRefuses), string(NodeSilent), NodeGone, NodeFailed}
}

// Doubt says what an answer is worth before the participant's node was asked.
type Doubt int

// The doubts.
const (
	NoDoubt Doubt = iota
	// SlightDoubt: a node that has the participant would say so at once.
	SlightDoubt
	// GraveDoubt: only a refusal will do, which takes its time.
	GraveDoubt
)

const (
	// refusalGap is the least time between two refusals that count: a node that
	// was cut off for a moment is not gone.
	refusalGap = 5 * time.Second
	// refusalTime is how long LiveKit takes to refuse.
	refusalTime = 3 * time.Second
	// clockSkew is how far the SFU's clock and ours may be apart.
	clockSkew = 2 * time.Second
)

// Doubts says whether the participant's node is to be asked before a is believed:
// after a refusal, and where nobody is on record whose leaving was not reported,
// or who may be back after a loss. Whoever said good-bye is gone without that.
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

// doubtsAbsence is the doubt of a first look that finds nobody on record, though
// the participant may have come back, or never gone: the end of a session takes
// the record of the next one with it.
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

// isRefused reports whether no node has the participant, by an answer that is
// not older than refusalGap.
func (j Job) isRefused(a Answer) bool {
	if a.Node != NodeNotAsked {
		return a.Node == NodeRefuses
	}
	return !j.Refused.IsZero() && a.Asked.Sub(j.Refused) < refusalGap
}

// isAsBefore reports whether what is on record does not say whether the session
// is over: it is still there, or was not there before, either.
func (j Job) isAsBefore(a Answer) bool {
	return a.Session == "" && j.Unrecorded || a.Session != "" && a.Session == j.Session
}

// NodeIsGone reports whether a says for the second time, refusalGap or more after
// the first, that no node has the session, and what is on record does not say
// that it is over: its node is dead, or cut off from LiveKit's Redis.
func (j Job) NodeIsGone(a Answer) bool {
	return j.State == Connected && a.Node == NodeRefuses && j.isAsBefore(a) &&
		!j.Refused.IsZero() && a.Asked.Sub(j.Refused) >= refusalGap
}

// Expected reports whether a, an answer about the whole room, tells nothing new.
// Who is not there, and was not before, is looked for alone, and so is whoever
// no node has.
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

// RoomMatters reports whether it has to be asked about a participant who is not
// there whether its room is: the SFU may have lost that, with everybody in it.
func (j Job) RoomMatters() bool { return !j.RoomSeen.IsZero() && !j.ClearLeave }

// Lacks reports whether the SFU has no room where the participant should be, or
// come back to.
func (j Job) Lacks(a Answer) bool {
	return a.Session == "" && a.RoomAsked && a.RoomMade.IsZero() && j.RoomMatters()
}

// Outlived reports whether the room that was made at since, the zero time for
// none, is not the one that the participant was in.
func (j Job) Outlived(since time.Time) bool {
	return since.IsZero() || !since.Before(j.RoomSeen.Add(clockSkew))
}

// hasLostRoom reports whether the SFU has lost the room, with everybody in it. A
// room that stays gone was lost once: LiveKit does not record a room anew whose
// node still has it.
func (j Job) hasLostRoom(a Answer) bool {
	switch {
	case !a.RoomAsked:
		return false
	case a.RoomMade.IsZero():
		return !j.RoomLost
	}
	return j.Outlived(a.RoomMade)
}
