package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// ErrBusy means that Presence did not ask a node, because too many questions to nodes
// are running.
var ErrBusy = errors.New("too many questions to LiveKit's nodes are in progress")

// AskNode asks the LiveKit node of a job's participant whether it holds the session. It
// returns a with the node's answer. It waits at most 5 s for the answer. If no node
// holds the session, LiveKit says so after 3 s. If j.Doubts(a) is leave.SlightDoubt,
// AskNode waits at most half a second. ErrBusy means that AskNode did not ask.
func (p *Presence) AskNode(ctx context.Context, j leave.Job, a leave.Answer) (leave.Answer, error) {
	if j.Doubts(a) == leave.SlightDoubt {
		return p.askNodeShortly(ctx, j, a)
	}
	if !p.nodes.one.tryTake(mostAtOnce) {
		return a, ErrBusy
	}
	defer p.nodes.one.release()
	a, err := p.askNode(ctx, j, a)
	if a.Node == leave.NodeRefuses && a.Session != "" {
		p.Doubt(j.Room)
	}
	return a, err
}

// askNode asks the LiveKit node of the job's participant whether it holds the session.
// It waits for at most nodeTime. The caller must limit how many such questions run at
// the same time.
func (p *Presence) askNode(ctx context.Context, j leave.Job, a leave.Answer) (leave.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, nodeTime)
	defer cancel()
	a.Asked = p.Clock.Now()
	reachable, err := p.SFU.Reachable(ctx, j.Room, j.Identity)
	// After a timeout, perhaps only the node hangs, while the SFU itself answers. So the
	// timeout of a question to a node begins no outage.
	if !errors.Is(err, context.DeadlineExceeded) {
		p.note(err)
	}
	switch {
	case err != nil:
	case reachable:
		a.Node = leave.NodeAnswers
	default:
		a.Node = leave.NodeRefuses
		if a.Session != "" || j.Unrecorded { // a record, or a node that held the session, proves that there was a session, which is now lost
			p.nodes.lose(p.Clock.Now())
		}
	}
	a.Outage = p.Outage()
	p.count(ctx, j, a, err)
	return a, err
}

// count calls Asked with the result of a question to a node. If the node is dead, it
// logs a warning. It does not warn if the SFU has no record of the session, because
// then the session may simply have ended.
func (p *Presence) count(ctx context.Context, j leave.Job, a leave.Answer, err error) {
	result := string(a.Node)
	switch {
	case errors.Is(err, context.Canceled):
		return // the program ends, so there is no result
	case err != nil:
		result = leave.NodeFailed
	case j.NodeIsGone(a) && a.Session != "":
		result = leave.NodeGone
		if p.gone.Due(p.Clock.Now()) {
			p.Log.WarnContext(ctx, "leave: a node of LiveKit is dead, or cut off from LiveKit's Redis: "+
				"LiveKit says that somebody is in the room, and none of its nodes has them", "room", j.Room)
		}
	}
	if p.Asked != nil {
		p.Asked(result)
	}
}

// askNodeShortly asks the node for at most shortTime. A node that holds the session
// answers within that time. These questions have their own limit (shortAtOnce), so that
// they do not wait for questions to dead nodes.
func (p *Presence) askNodeShortly(ctx context.Context, j leave.Job, a leave.Answer) (leave.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, shortTime)
	defer cancel()
	if !p.nodes.short.take(ctx, shortAtOnce) {
		return a, ErrBusy
	}
	defer p.nodes.short.release()
	reachable, err := p.SFU.Reachable(ctx, j.Room, j.Identity)
	a.Node = leave.NodeSilent
	if err == nil && reachable {
		a.Node = leave.NodeAnswers
	}
	p.count(ctx, j, a, nil)
	return a, nil
}

// AskNodes asks the nodes of some participants of room: those for whom the SFU's answer
// is in doubt. It puts the nodes' answers into answers. The keeper calls AskNodes after
// each question to the SFU about who is in the room. The argument every is the time
// between two of these questions. At every fourth call, AskNodes also makes the keeper
// call AskAll soon.
func (p *Presence) AskNodes(ctx context.Context, room sfu.Room, every time.Duration, jobs []leave.Job, answers []leave.Answer) {
	if isFourth(room, p.Clock.Now(), every) {
		p.nodes.plan(room)
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	for i, j := range jobs {
		if !j.Expected(answers[i]) && j.Doubts(answers[i]) != leave.NoDoubt {
			p.startAsking(ctx, &asking, j, answers[i], func(a leave.Answer) { answers[i] = a })
		}
	}
}

// AskAll asks the nodes of all participants who are connected to room, and passes each
// answer to the function told. The questions come one after another, at most one per
// routinePause. AskAll does not wait for the answers. Each question has a goroutine in
// the WaitGroup asking. If a question must wait too long or fails, AskAll calls Doubt
// for the room.
func (p *Presence) AskAll(ctx context.Context, asking *sync.WaitGroup, room sfu.Room, jobs []leave.Job, told func(leave.Job, leave.Answer)) {
	for _, j := range jobs {
		if j.State != leave.Connected || !j.Refused.IsZero() || j.Unrecorded {
			continue
		}
		if p.Away() || !p.awaitTurn(ctx) {
			p.Doubt(room)
			return
		}
		p.startAsking(ctx, asking, j, leave.Answer{Session: j.Session}, func(a leave.Answer) { told(j, a) })
	}
}

// startAsking starts a goroutine in the WaitGroup, and returns. The goroutine asks the
// node of j's participant, adds the node's answer to a, and calls told with a. If the
// question fails, the goroutine calls Doubt for the room.
func (p *Presence) startAsking(ctx context.Context, asking *sync.WaitGroup, j leave.Job, a leave.Answer, told func(leave.Answer)) {
	if !p.nodes.many.take(ctx, mostAtOnce) {
		return
	}
	asking.Go(func() {
		defer p.nodes.many.release()
		_, err := fault.Catch(func() (leave.Answer, error) {
			a, err := p.askNode(ctx, j, a)
			told(a)
			return a, err
		})
		if ours, ok := errors.AsType[*fault.Error](err); ok {
			p.logFault(j, ours)
		}
		if err != nil && ctx.Err() == nil {
			p.Doubt(j.Room)
		}
	})
}

func (p *Presence) logFault(j leave.Job, ours *fault.Error) {
	p.Log.Error("leave: a fault of this program; please report it", "room", j.Room,
		"panic", text.Clip(fmt.Sprint(ours.Value), maxPanic), "stack", string(ours.Stack))
}

// maxPanic is how many bytes of a panic's value the log shows at most.
const maxPanic = 500

// AskOldest asks the node of one participant: the one who has been in room for longest.
// It considers only participants who came before the time since. LiveKit puts all
// participants of a room on one node. If that node is gone, participants who come later
// are on another node. So the oldest session is the most likely one to be lost. If the
// node does not hold this session, AskOldest asks about all other participants who came
// before the time since.
//
// If the keeper plans to ask about a participant within lookTime (Job.NextLook), it has
// got a webhook or an answer that leaves open where the participant is. The participant
// may have come back to another node. So AskOldest chooses such participants last. It
// returns the jobs that it asked about, and an answer for each of them. Each answer
// says that the session is in the SFU's record.
func (p *Presence) AskOldest(ctx context.Context, room sfu.Room, since time.Time, jobs []leave.Job) (asked []leave.Job, answers []leave.Answer) {
	for _, j := range jobs {
		if j.State == leave.Connected && j.Refused.IsZero() && j.RoomSeen.Before(since) {
			asked = append(asked, j)
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	if !p.awaitTurn(ctx) {
		p.Doubt(room)
		return nil, nil
	}
	soon := p.Clock.Now().Add(lookTime)
	slices.SortFunc(asked, func(a, b leave.Job) int {
		if alone := b.NextLook.Compare(soon) - a.NextLook.Compare(soon); alone != 0 {
			return alone
		}
		return a.RoomSeen.Compare(b.RoomSeen)
	})
	answers = make([]leave.Answer, len(asked))
	var asking sync.WaitGroup
	for i := range asked {
		answers[i].Session = asked[i].Session
		p.startAsking(ctx, &asking, asked[i], answers[i], func(a leave.Answer) { answers[i] = a })
		if i == 0 {
			asking.Wait()
			if answers[0].Node != leave.NodeRefuses {
				return asked[:1], answers[:1]
			}
		}
	}
	asking.Wait()
	return asked, answers
}
