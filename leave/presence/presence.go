// Package presence asks the SFU who is in its rooms, and knows whether the SFU
// answers. It writes no job and creates no room.
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
	// Session returns the participant.sid of identity in room. It returns "" if the SFU
	// says that identity is not in room.
	Session(ctx context.Context, room sfu.Room, identity sfu.Identity) (string, error)
	// Sessions returns the participant.sid of each participant in room, by identity.
	Sessions(ctx context.Context, room sfu.Room) (map[sfu.Identity]string, error)
	// RoomSince returns the time at which the room was created. It returns the zero time
	// if the room does not exist.
	RoomSince(ctx context.Context, room sfu.Room) (time.Time, error)
	// Reachable asks the LiveKit nodes themselves, and reports whether one of them holds
	// the participant's session. If no node has the session, Reachable takes 3 s.
	Reachable(ctx context.Context, room sfu.Room, identity sfu.Identity) (bool, error)
	// Ping checks whether the SFU answers.
	Ping(ctx context.Context) error
	// Watch opens a connection to the SFU. It returns nil when the SFU or a proxy closes
	// the connection. It returns an error if it cannot open the connection.
	Watch(ctx context.Context) error
}

// Presence asks one SFU about its participants. All fields except Asked are required.
// Several goroutines may use a Presence at the same time.
type Presence struct {
	SFU   SFU
	Jobs  leave.Index
	Clock *clock.Clock
	// Back is how long clients may take to reconnect after an outage of the SFU.
	Back time.Duration
	// Asked, if set, is called after each question to a node. The argument is one of
	// [leave.NodeResults].
	Asked func(result string)
	Log   *slog.Logger

	outage  outage
	nodes   nodes
	refused seldom.Warning // limits how often the log warns that the SFU refuses our key
	gone    seldom.Warning // limits how often the log warns that a node is gone
}

// askTime is how long one question to the SFU may take.
const askTime = time.Second

// errNoSFU is the error of a question that Presence does not send, because the SFU
// counts as away.
var errNoSFU = errors.New("the SFU does not answer")

// Of asks the SFU whether the participant of the job j is in its room.
func (p *Presence) Of(ctx context.Context, j leave.Job) (leave.Answer, error) {
	if p.Away() {
		return leave.Answer{}, errNoSFU
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

// In asks the SFU who is in room. It returns one answer for each job, in the same
// order. All of the jobs must be of this room.
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

// noteFor records whether a question about room failed. If it failed, noteFor calls
// Doubt for the room.
func (p *Presence) noteFor(room sfu.Room, err error) {
	p.note(err)
	if err != nil && !errors.Is(err, context.Canceled) {
		p.Doubt(room)
	}
}

// roomMade returns the time, by our clock, at which the existing room was created. The
// SFU gives that time by its own wall clock. If our wall clock was set, nobody knows
// whether the SFU's clock was set, too. So there are two possible times, and roomMade
// returns the later one. If the room is really older, there is little harm: the keeper
// sends the leave one grace period later.
func (p *Presence) roomMade(ctx context.Context, room sfu.Room) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	since, err := p.SFU.RoomSince(ctx, room)
	if steady := p.Clock.Steady(since); steady.After(since) {
		return steady, err
	}
	return since, err
}
