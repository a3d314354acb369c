package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"matrixrtc-auth/internal/outbound"
)

const (
	// probeDelay is after what time the probe's event would be sent, should
	// nobody cancel it.
	probeDelay = time.Minute
	// scheduleTime and cancelTime bound the request and what takes it back,
	// which is tried twice.
	scheduleTime = 3 * time.Second
	cancelTime   = 2*cancelTry + cancelPause
	cancelTry    = 1500 * time.Millisecond
	cancelPause  = 500 * time.Millisecond
)

// delayedSchedule has one event delayed in the user's room and cancels it. Once
// the event is asked for, neither the end of ctx nor the check's limit keeps it
// from being cancelled.
func (e *exam) delayedSchedule(ctx context.Context, s *server) Finding {
	if end, bounded := ctx.Deadline(); bounded && time.Until(end) < scheduleTime+cancelTime {
		return na("there is no time left to schedule an event and cancel it")
	}
	ctx = context.WithoutCancel(ctx)
	v := vars{"server": s.name.String(), "base": s.base}
	r, err := e.schedule(ctx, s)
	var answer struct {
		ID string `json:"delay_id"`
	}
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "scheduling: %s; if the event is scheduled all the same, it is sent to %s in %s", reason(err), e.o.Room, probeDelay)
	case r.status == http.StatusTooManyRequests:
		return found("delayed-events-limited", v, "scheduling: %s", r)
	case r.status != http.StatusOK || json.Unmarshal(r.body, &answer) != nil || answer.ID == "":
		return found("delayed-events-refused", v, "scheduling: %s", r)
	}
	return e.cancel(ctx, s, answer.ID)
}

// schedule asks for the event.
func (e *exam) schedule(ctx context.Context, s *server) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, scheduleTime)
	defer cancel()
	address := fmt.Sprintf("%s/_matrix/client/v3/rooms/%s/send/%s.doctor/%s?org.matrix.msc4140.delay=%d",
		s.base, url.PathEscape(e.o.Room), outbound.UserAgent, probeName(), probeDelay.Milliseconds())
	return e.look.ask(ctx, question{method: http.MethodPut, url: address, body: "{}", bearer: e.o.Token})
}

// cancel takes the event of that id back, at the second try at the latest, and
// says so if it could not.
func (e *exam) cancel(ctx context.Context, s *server, id string) Finding {
	v := vars{"server": s.name.String(), "base": s.base}
	r, err := e.tryCancel(ctx, s, id)
	unheard := err != nil // the answer, perhaps not the request
	if err != nil || r.status/100 != 2 {
		<-time.After(cancelPause)
		r, err = e.tryCancel(ctx, s, id)
	}
	if unheard && err == nil && r.status == http.StatusNotFound && r.errcode() == "M_NOT_FOUND" {
		return ok("one event was scheduled in %s and cancelled", e.o.Room)
	}
	left := fmt.Sprintf("the event is sent to %s in %s", e.o.Room, probeDelay)
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "cancelling: %s; %s", reason(err), left)
	case r.status == http.StatusTooManyRequests:
		return found("delayed-events-limited", v, "cancelling: %s; %s", r, left)
	case r.status/100 != 2:
		return found("delayed-events-refused", v, "cancelling: %s; %s", r, left)
	}
	return ok("one event was scheduled in %s and cancelled", e.o.Room)
}

func (e *exam) tryCancel(ctx context.Context, s *server, id string) (reply, error) {
	ctx, stop := context.WithTimeout(ctx, cancelTry)
	defer stop()
	return e.look.ask(ctx, question{method: http.MethodPost, url: s.delayedURL(id, "cancel"), body: "{}", bearer: e.o.Token})
}
