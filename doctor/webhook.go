package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/sfu"
)

const (
	// webhookWait bounds the wait for a webhook. LiveKit sends webhooks
	// immediately.
	webhookWait  = 8 * time.Second
	webhookEvery = 200 * time.Millisecond
	// webhookAsk bounds one request to the address to which LiveKit sends
	// webhooks.
	webhookAsk   = 2 * time.Second
	webhookLimit = webhookWait + webhookAsk + time.Second
)

// roundTrip asks the service for its status until the service has received a
// webhook about the room that doctor created. If several replicas share a
// store, another replica may have received the webhook. In that case, roundTrip
// reports no fault if the webhook is missing.
func (e service) roundTrip(ctx context.Context) engine.Finding {
	before, here, key := e.status, e.here(), e.look.Config.Keys[0]
	wait, cancel := context.WithTimeout(ctx, webhookWait)
	defer cancel()
	again := time.NewTicker(webhookEvery)
	defer again.Stop()
	var now serviceStatus
	for {
		if _, err := askStatus(wait, here, insideURL, key, nil, &now); err == nil {
			if slices.Contains(now.Webhooks.Rooms, string(e.room.name)) {
				return ok("the event of %s arrived, signed by one of our keys", e.room.name)
			}
			if cause := grown(before.Webhooks.Rejected, now.Webhooks.Rejected); cause != "" {
				if strings.HasPrefix(cause, sfu.RejectedAge) {
					return found("sfu-clock", nil, "a webhook came and was refused, because by this machine's clock its token is not valid: %s", clip(cause))
				}
				return found("webhook-refused", engine.Vars{"reason": cause}, "a webhook came and was refused: %s", clip(cause))
			}
		}
		select {
		case <-again.C:
		case <-wait.Done():
			return e.noWebhook(ctx, before.Leaves.Store.Kind)
		}
	}
}

func (e service) noWebhook(ctx context.Context, store string) engine.Finding {
	if store == "redis" {
		return na("no event came here within %s; another replica may have got it", webhookWait)
	}
	if e.isAlone() {
		return e.alone(fmt.Sprintf("no event of %s came within %s", e.room.name, webhookWait))
	}
	return e.webhookWay(ctx, fmt.Sprintf("no event of %s came within %s", e.room.name, webhookWait))
}

// webhookWay finds out which program answers at the address to which LiveKit
// sends webhooks. It takes the address from livekit.yaml, and sends a POST
// request without a signature there. This service refuses such a request. If
// nothing answers doctor, LiveKit may still get an answer in its own network.
func (e service) webhookWay(ctx context.Context, seen string) engine.Finding {
	ctx, cancel := context.WithTimeout(ctx, e.look.Limit(webhookAsk))
	defer cancel()
	for _, address := range e.livekit.Webhook.URLs {
		if !strings.HasSuffix(address, "/sfu_webhook") {
			continue
		}
		place := bareURL(address)
		r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: address, Body: "{}"})
		if err != nil {
			return found("webhook-missing", nil, "%s; from here, %s: %s", seen, place, reason(err))
		}
		if f := stranger(askedService, r, engine.Vars{"url": place}, seen+"; POST "+place+":"); isFault(f) {
			return found("webhook-way", engine.Vars{"url": place}, "%s", f.Seen)
		}
	}
	return found("webhook-missing", nil, "%s", seen)
}

// grown compares two maps from causes to numbers. If a cause has a larger
// number in the second map, grown returns the cause and the difference. It
// returns "" if there is no such cause.
func grown(before, now map[string]uint64) string {
	for cause, n := range now {
		if n > before[cause] {
			return fmt.Sprintf("%s (%d)", cause, n-before[cause])
		}
	}
	return ""
}
