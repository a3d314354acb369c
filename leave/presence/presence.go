// Package presence asks the SFU who is in its rooms, and knows whether it
// answers. It changes nothing: no job is written and no room is created here.
package presence

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/seldom"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// SFU says who is in a room.
type SFU interface {
	// Session returns the participant.sid of identity in room, "" when the
	// SFU says that it is not there.
	Session(ctx context.Context, room sfu.Room, identity sfu.Identity) (string, error)
	// Sessions returns the participant.sid of everybody in room.
	Sessions(ctx context.Context, room sfu.Room) (map[sfu.Identity]string, error)
	// RoomSince returns when the room that is there now was made, the zero
	// time when there is none.
	RoomSince(ctx context.Context, room sfu.Room) (time.Time, error)
	// Reachable reports whether the node that has the participant, if there is
	// one, says so itself. A false takes 3 s.
	Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error)
	// Ping asks for nothing but an answer.
	Ping(ctx context.Context) error
	// Watch holds a connection until the SFU, or something between, ends it;
	// an error says that there was none.
	Watch(ctx context.Context) error
}

// Presence asks one SFU. All fields but Asked are required. It may be used by
// several goroutines at once.
type Presence struct {
	SFU   SFU
	Jobs  leave.Index
	Clock *clock.Clock
	// Back is how long clients may take to come back to an SFU that was away.
	Back time.Duration
	// Asked is told what came of a question to a node, one of [leave.NodeResults];
	// nil where nobody counts it.
	Asked func(result string)
	Log   *slog.Logger

	outage  outage
	nodes   nodes
	refused seldom.Warning // the SFU's own word that it will not say
	gone    seldom.Warning // a node
}

// askTime bounds one question.
const askTime = time.Second

// ErrNoSFU is the answer while the SFU is known to be away.
var ErrNoSFU = errors.New("the SFU does not answer")

// Of asks whether the participant of a job is in its room.
func (p *Presence) Of(ctx context.Context, j leave.Job) (leave.Answer, error) {
	if p.Away() {
		return leave.Answer{}, ErrNoSFU
	}
	a := leave.Answer{Asked: p.Clock.Now()}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	session, err := p.SFU.Session(asking, j.Room, j.Identity)
	a.Session = session
	if err == nil && session == "" && j.RoomMatters() {
		a.RoomAsked = true
		a.RoomMade, err = p.roomMade(ctx, j.Room)
	}
	p.noteFor(j.Room, err)
	a.Outage = p.Outage()
	return a, err
}

// In asks who is in room, and returns an answer for each of its jobs.
func (p *Presence) In(ctx context.Context, room sfu.Room, jobs []leave.Job) ([]leave.Answer, error) {
	asked := p.Clock.Now()
	asking, cancel := context.WithTimeout(ctx, 5*askTime)
	defer cancel()
	sessions, err := p.SFU.Sessions(asking, room)
	answers := make([]leave.Answer, len(jobs))
	missing := false
	for i, j := range jobs {
		answers[i] = leave.Answer{Asked: asked, Session: sessions[j.Identity]}
		missing = missing || j.State == leave.Connected && answers[i].Session == ""
	}
	var made time.Time
	if err == nil && missing {
		made, err = p.roomMade(ctx, room)
	}
	p.noteFor(room, err)
	for i := range answers {
		answers[i].RoomAsked, answers[i].RoomMade, answers[i].Outage = missing, made, p.Outage()
	}
	return answers, err
}

// noteFor is told what came of a question about room. One that failed puts it in
// doubt who is there.
func (p *Presence) noteFor(room sfu.Room, err error) {
	p.note(err)
	if err != nil && !errors.Is(err, context.Canceled) {
		p.Doubt(room)
	}
}

// roomMade returns when, by our clock, the room was made that is there now, at
// the latest: when our host's wall clock was set, nobody knows whether the SFU's
// was. A room that is taken for a newer one costs a grace, once.
func (p *Presence) roomMade(ctx context.Context, room sfu.Room) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	since, err := p.SFU.RoomSince(ctx, room)
	if steady := p.Clock.Steady(since); steady.After(since) {
		return steady, err
	}
	return since, err
}
