package service

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/timing"
)

// testLater is the pause between two self-tests. After a self-test that failed,
// the pause is testSoon, because the homeserver may start later than this
// service.
const (
	testSoon  = 10 * time.Second
	testLater = 10 * time.Minute
)

// start repeats the self-test until the caller calls end.
func (h *homeserver) start() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.testAgain(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (h *homeserver) testAgain(ctx context.Context) {
	for {
		result := h.test.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		h.report(result)
		pause := testLater
		if !result.Ready() {
			pause = testSoon
		}
		if !timing.Sleep(ctx, pause) {
			return
		}
	}
}

// report logs one line for each check that failed, or one line if all checks
// passed. It does not log a line again if the last self-test had the same line.
func (h *homeserver) report(result appservice.Result) {
	before := h.last.Swap(&result)
	if result.Ready() && (before == nil || !before.Ready()) {
		h.log.Info("application service: ready", "server", h.server.String())
	}
	for _, check := range result.Checks {
		if !check.OK && !failedBefore(before, check) {
			h.log.Warn("application service: not ready", "part", check.Part, "seen", check.Seen, "remedy", check.Remedy)
		}
	}
}

func failedBefore(before *appservice.Result, check appservice.Check) bool {
	if before == nil {
		return false
	}
	for _, old := range before.Checks {
		if old == check {
			return true
		}
	}
	return false
}
