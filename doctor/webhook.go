package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/sfu"
)

const (
	// webhookWait is how long a webhook may take: LiveKit sends it at once.
	webhookWait  = 8 * time.Second
	webhookEvery = 200 * time.Millisecond
	webhookLimit = webhookWait + time.Second
)

// roundTrip asks the service until it has seen the room. Where several share a
// store another one may have got the event, so that its absence says nothing.
func (e service) roundTrip(ctx context.Context) engine.Finding {
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
				if strings.HasPrefix(cause, sfu.RejectedAge) {
					return found("sfu-clock", nil, "a webhook came and was refused, because its token is of another time: %s", clip(cause))
				}
				return found("webhook-refused", engine.Vars{"reason": cause}, "a webhook came and was refused: %s", clip(cause))
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return e.noWebhook(before.Leaves.Store.Kind)
		}
	}
}

func (e service) noWebhook(store string) engine.Finding {
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
