package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// webhookWait is how long a webhook may take: LiveKit sends it at once.
	webhookWait  = 8 * time.Second
	webhookEvery = 200 * time.Millisecond
)

// webhook looks whether the probe room's events arrive at the running service.
func (e *exam) webhook(status, room *Check) {
	if e.o.Outside {
		return
	}
	e.add(&Check{ID: "webhook.round_trip", Needs: []*Check{status, room}, Limit: webhookWait + time.Second, Run: e.roundTrip})
}

// roundTrip asks the service until it has seen the room. Where several share a
// store another one may have got the event, so that its absence says nothing.
func (e *exam) roundTrip(ctx context.Context) Finding {
	before, here, key := e.status, e.here(), e.look.Config.Keys[0]
	ctx, cancel := context.WithTimeout(ctx, webhookWait)
	defer cancel()
	again := time.NewTicker(webhookEvery)
	defer again.Stop()
	var now serviceStatus
	for {
		if _, err := askStatus(ctx, here, insideURL, key, nil, &now); err == nil {
			if slices.Contains(now.Webhooks.Rooms, string(e.room.name)) {
				return ok("the event of %s arrived, signed by one of our keys", e.room.name)
			}
			if cause := grown(before.Webhooks.Rejected, now.Webhooks.Rejected); cause != "" {
				return found("webhook-refused", vars{"reason": cause}, "a webhook came and was refused: %s", clip(cause))
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return e.noWebhook(before.Leaves.Store.Kind)
		}
	}
}

func (e *exam) noWebhook(store string) Finding {
	if store == "redis" {
		return na("no event came here within %s; another replica may have got it", webhookWait)
	}
	if e.isAlone() {
		return e.alone(fmt.Sprintf("no event of %s came within %s", e.room.name, webhookWait))
	}
	return found("webhook-missing", nil, "no event of %s came within %s", e.room.name, webhookWait)
}

// grown returns the cause whose count has grown.
func grown(before, now map[string]uint64) string {
	for cause, n := range now {
		if n > before[cause] {
			return fmt.Sprintf("%s (%d)", cause, n-before[cause])
		}
	}
	return ""
}
