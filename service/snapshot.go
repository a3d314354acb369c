package service

import (
	"context"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/metrics"
)

// watch makes the metrics read the gauges, if the operator has configured an
// address for metrics.
func (s *shared) watch(p parts) {
	if s.cfg.Metrics != (config.Bind{}) {
		s.counters.Watch(func() metrics.Snapshot { return s.snapshot(p) })
	}
}

// snapshot returns the values of all gauges for one scrape of the metrics.
func (s *shared) snapshot(p parts) metrics.Snapshot {
	now := metrics.Snapshot{Health: map[string]float64{}, LogDropped: s.logStatus().Dropped}
	health := s.health(p)
	now.Health["degraded"], now.Health["stalled"] = number(len(health.Degraded) > 0), number(health.Stalled)
	if p.leaves.on() {
		p.leaves.addTo(&now)
	}
	if p.members != nil {
		p.members.addTo(&now)
	}
	return now
}

// number returns 1 for true and 0 for false.
func number(so bool) float64 {
	if so {
		return 1
	}
	return 0
}

func (l *leaves) addTo(now *metrics.Snapshot) {
	now.Health["sfu"], now.Health["webhooks"] = number(!l.keeper.SFUAnswers()), number(l.keeper.MissesWebhooks())
	if jobs := l.jobs(context.Background()); jobs != nil {
		now.Jobs = map[string]float64{}
		for state, n := range jobs {
			now.Jobs[string(state)] = float64(n)
		}
	}
	now.Store = map[string]float64{"degraded": 0}
	if l.standby != nil {
		store := l.standby.Status()
		now.Store = map[string]float64{
			"degraded": number(store.Degraded), "outages": float64(store.Outages),
			"copies": float64(store.Copies), "unmerged": float64(store.Unmerged),
		}
	}
	budget := l.keeper.Budget.Status(l.clock.Now())
	now.Budget = map[string]float64{"rate": budget.Rate, "tokens": budget.Tokens, "lowered": float64(budget.Lowered)}
}

// addTo adds the numbers about membership to a snapshot of the metrics. If
// another replica makes the sweeps (the checks of all participants), addTo
// leaves out the numbers about sweeps.
func (m *members) addTo(now *metrics.Snapshot) {
	if m.account != nil {
		now.Health["account"] = number(!m.account.status().Answers)
	}
	guard := m.guard.Status()
	now.Membership = map[string]float64{
		"brake": number(guard.Braked), "interval_seconds": guard.Interval.Seconds(), "pushed": number(m.pushes()),
	}
	if guard.Elsewhere {
		return
	}
	now.Membership["sweep_lag_seconds"] = guard.Late.Seconds()
	if !guard.SweepBegan.IsZero() {
		now.Membership["persons"], now.Membership["foreign"], now.Membership["unsealed"] = float64(guard.Persons), float64(guard.Foreign), float64(guard.Unsealed)
		now.Membership["sweep_age_seconds"] = time.Since(guard.SweepBegan).Seconds()
	}
}
