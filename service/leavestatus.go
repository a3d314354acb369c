package service

import (
	"context"

	"matrixrtc-auth/handler"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

func (l *leaves) degraded() bool { return l.standby != nil && l.standby.Status().Degraded }

// isFailing reports whether this process cannot write the file of leaves. It
// returns false for a store that has no file.
func (l *leaves) isFailing() bool {
	var s handler.StoreStatus
	if l.about != nil {
		l.about(&s)
	}
	return s.State == stateDegraded
}

const (
	stateDegraded = "degraded"
	// maxCause is how many bytes of an error text /_status shows.
	maxCause = 200
)

// health returns what /healthz shows of leaves.
func (l *leaves) health() (h handler.Health) {
	if !l.on() {
		return h
	}
	switch {
	case l.degraded():
		h.Degraded = append(h.Degraded, "the store of delegated leaves does not answer")
	case l.isFailing():
		h.Degraded = append(h.Degraded, "the file of delegated leaves cannot be written")
	}
	if !l.keeper.SFUAnswers() {
		h.Degraded = append(h.Degraded, "LiveKit does not answer, or refuses the API key")
	}
	h.Stalled = l.keeper.Stalled(l.clock.Now())
	return h
}

// status returns what /_status shows of leaves.
func (l *leaves) status(ctx context.Context) handler.LeaveStatus {
	s := handler.LeaveStatus{
		RefusedBy: []string{}, Limited: []handler.LimitedStatus{}, Jobs: l.jobs(ctx), SFUAnswers: l.keeper.SFUAnswers(),
		Store: handler.StoreStatus{Kind: string(l.kind), State: "ok"},
	}
	for _, server := range l.named.Servers {
		if l.events.Refuses(server) {
			s.RefusedBy = append(s.RefusedBy, server.String())
		}
		if n, last := l.keeper.Budget.Refusals(server); n > 0 {
			s.Limited = append(s.Limited, handler.LimitedStatus{Server: server.String(), Count: n, Last: last.UTC()})
		}
	}
	if l.standby == nil {
		return s
	}
	now := l.standby.Status()
	l.about(&s.Store)
	since := now.Since.UTC()
	s.Store.Since, s.Store.Unmerged = &since, now.Unmerged
	if now.Degraded {
		s.Store.State, s.Store.Cause = stateDegraded, now.Cause.Error()
	}
	return s
}

// jobs returns the number of jobs by state, or nil if the store does not
// answer.
func (l *leaves) jobs(ctx context.Context) map[leave.State]int {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	counts, err := l.store.Count(ctx, matrix.UserID{})
	if err != nil {
		return nil
	}
	jobs := map[leave.State]int{}
	for _, state := range leave.States() {
		jobs[state] = counts.ByState[state]
	}
	return jobs
}
