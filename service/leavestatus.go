package service

import (
	"context"

	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

func (l *leaves) degraded() bool { return l.standby != nil && l.standby.Status().Degraded }

// isFailing reports whether the store cannot write, though nobody has asked it to.
func (l *leaves) isFailing() bool {
	var s handler.StoreStatus
	if l.about != nil {
		l.about(&s)
	}
	return s.State == stateDegraded
}

const (
	stateDegraded = "degraded"
	// maxCause bounds what /_status tells of a failure, in bytes.
	maxCause = 200
)

// health is for /healthz.
func (l *leaves) health() (h handler.Health) {
	if l == nil {
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

// status is for /_status.
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

// jobs counts the jobs by state; nil if the store does not say.
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

// watch has metrics ask for what is counted elsewhere.
func (l *leaves) watch(counters *metrics.Metrics) {
	counters.Watch(metrics.Gauge{Name: "leave_jobs", Help: "Delegated leaves by state, in the whole store.", Label: "state", Values: func() map[string]float64 {
		values := map[string]float64{}
		for state, n := range l.jobs(context.Background()) {
			values[string(state)] = float64(n)
		}
		return values
	}})
	counters.Watch(metrics.Gauge{Name: "leave_store", Help: "The store of delegated leaves: degraded (1 while it does not answer), outages, copies and unmerged jobs.", Label: "of", Values: func() map[string]float64 {
		if l.standby == nil {
			return map[string]float64{"degraded": 0}
		}
		now := l.standby.Status()
		degraded := 0.0
		if now.Degraded {
			degraded = 1
		}
		return map[string]float64{"degraded": degraded, "outages": float64(now.Outages), "copies": float64(now.Copies), "unmerged": float64(now.Unmerged)}
	}})
	counters.Watch(metrics.Gauge{Name: "leave_budget", Help: "The budget of requests to manage delayed events: rate and tokens of the homeserver that has the least, and how many homeservers have a lowered rate.", Label: "of", Values: func() map[string]float64 {
		now := l.keeper.Budget.Status(l.clock.Now())
		return map[string]float64{"rate": now.Rate, "tokens": now.Tokens, "lowered": float64(now.Lowered)}
	}})
}
