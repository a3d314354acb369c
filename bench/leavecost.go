package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// leaves measures what many delegated leaves cost while nothing happens. It
// also measures how late the service restarts leaves that have very short
// delays.
func (l *lab) leaves(ctx context.Context) (string, error) {
	idle, err := l.idleLeaves(ctx)
	if err != nil {
		return "", err
	}
	short, err := l.shortLeaves(ctx)
	if err != nil {
		return "", err
	}
	return "### Delegated leaves\n\n" + idle + "\n" + short, nil
}

// idleLeaves measures what the service needs for leaves with a delay of one hour
// (CPU time, memory and calls to LiveKit), while their participants stay in the
// call.
func (l *lab) idleLeaves(ctx context.Context) (string, error) {
	w, err := l.openLeaves(ctx)
	if err != nil {
		return "", err
	}
	defer w.close()
	before, err := memoryOf(w.service.pid)
	if err != nil {
		return "", err
	}
	l.say("%d leaves are handed over", idleJobs)
	begin := time.Now()
	if err := w.fill(ctx, idleJobs, idleRooms, time.Hour); err != nil {
		return "", err
	}
	filled := time.Since(begin)
	time.Sleep(5 * time.Second) // the joins still cause work in the service during these seconds
	calls, cpu := w.sfu.Calls("ListParticipants")+w.sfu.Calls("GetParticipant"), time.Duration(0)
	if cpu, err = cpuTime(w.service.pid); err != nil {
		return "", err
	}
	time.Sleep(idleWindow)
	after, err := cpuTime(w.service.pid)
	if err != nil {
		return "", err
	}
	calls = w.sfu.Calls("ListParticipants") + w.sfu.Calls("GetParticipant") - calls
	m, err := memoryOf(w.service.pid)
	if err != nil {
		return "", err
	}
	goroutines, err := w.metric(ctx, "go_goroutines")
	if err != nil {
		return "", err
	}
	share := (after - cpu).Seconds() / idleWindow.Seconds()
	each := float64(m.RSS-before.RSS) / idleJobs
	// The service asks the SFU about each room once per minute, and idleWindow is
	// one minute. So one call per room is allowed.
	allowed := float64(idleRooms)
	return fmt.Sprintf("What [delegated leaves](leave.md) cost while nothing happens. Each of %d members in %d rooms has a leave with a delay of 1 h. `LIVEKIT_STORE` is `memory`. They joined in %[4]v. Then nobody came or went for %[3]v, in which this was measured:\n\n%[5]s",
		idleJobs, idleRooms, idleWindow, filled.Round(time.Second), table(
			[]string{"", "measured", "budget", "verdict"},
			[]string{"CPU time, of one core", fmt.Sprintf("%.1f %%", 100*share), "2 %", verdict(share <= idleShare)},
			[]string{"calls to LiveKit", fmt.Sprint(calls), fmt.Sprintf("%.0f", allowed), verdict(float64(calls) <= 1.05*allowed)},
			[]string{"goroutines", fmt.Sprintf("%.0f", goroutines), fmt.Sprintf("< %d", maxGoroutines), verdict(goroutines < maxGoroutines)},
			[]string{"resident memory for each member, including what only joining needs", fmt.Sprintf("%.0f bytes", each), "", ""},
		)), nil
}

// shortLeaves measures leaves whose delay is so short that the service must
// restart some leave at every moment. The homeserver answers slowly.
func (l *lab) shortLeaves(ctx context.Context) (string, error) {
	w, err := l.openLeaves(ctx)
	if err != nil {
		return "", err
	}
	defer w.close()
	w.homeserver.ScriptDelayed(func(http.ResponseWriter, *http.Request, string, string) bool {
		time.Sleep(slowAnswer)
		return false
	})
	l.say("%d leaves of %v are handed over", shortJobs, shortDelay)
	if err := w.fill(ctx, shortJobs, shortJobs/50, shortDelay); err != nil {
		return "", err
	}
	restarts, begin := w.homeserver.Asked("restart"), time.Now()
	cpu, err := cpuTime(w.service.pid)
	if err != nil {
		return "", err
	}
	time.Sleep(shortWindow)
	after, err := cpuTime(w.service.pid)
	if err != nil {
		return "", err
	}
	rate := float64(w.homeserver.Asked("restart")-restarts) / time.Since(begin).Seconds()
	var late time.Duration
	for i := range shortJobs {
		f := w.homeserver.Fate(fmt.Sprintf("syd_%08d", i))
		if f.Over != "" {
			l.faults = append(l.faults, fmt.Sprintf("the delayed event of leave %d was %s, although its member is still in the call", i, f.Over))
		}
		late = max(late, f.Late)
	}
	share := float64(late) / float64(shortDelay)
	return fmt.Sprintf("In a second test, %d members had leaves with a delay of %v, and the homeserver took %v for each answer. For %v the service made %.0f restarts a second, and used %.0f %% of a core. "+
		"No leave was without a restart for longer than %.0f %% of its delay. At most 50 %% are allowed: %s.\n",
		shortJobs, shortDelay, slowAnswer, shortWindow, rate, 100*(after-cpu).Seconds()/shortWindow.Seconds(), 100*share, verdict(share < 0.5)), nil
}
