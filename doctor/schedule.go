package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/outbound"
)

const (
	// probeDelay is the delay of the event that doctor schedules. If nobody
	// cancels the event, the homeserver sends it after this time.
	probeDelay = time.Minute
	// memberTime bounds the request that asks whether the user is in the Matrix
	// room.
	memberTime = time.Second
	// scheduleTime bounds the request that schedules the event. cancelTime
	// bounds the two tries to cancel it.
	scheduleTime = 3 * time.Second
	cancelTime   = 2*cancelTry + cancelPause
	cancelTry    = 1500 * time.Millisecond
	cancelPause  = 500 * time.Millisecond
)

// delayedSchedule schedules a delayed event in the user's room, and cancels the
// event. Once doctor has sent the request that schedules the event, doctor
// cancels it even if ctx ends or the check's time is over.
func (h *homeserver) delayedSchedule(ctx context.Context) engine.Finding {
	if h.isElsewhere(ctx) { // this comes first, because some homeservers schedule events even for a user who is not in the Matrix room
		v := engine.Vars{"server": h.name.String(), "user": h.o.User.String(), "room": h.o.Room}
		return found("user-elsewhere", v, "%s is not joined to %s", h.o.User, h.o.Room)
	}
	if end, bounded := ctx.Deadline(); bounded && time.Until(end) < scheduleTime+cancelTime {
		return na("there is no time left to schedule an event and cancel it")
	}
	ctx = context.WithoutCancel(ctx)
	v := engine.Vars{"server": h.name.String(), "base": h.base}
	r, err := h.schedule(ctx)
	var answer struct {
		ID string `json:"delay_id"`
	}
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "scheduling: %s; if the event was scheduled nevertheless, it will be sent to %s in %s", reason(err), h.o.Room, probeDelay)
	case r.Status == http.StatusTooManyRequests:
		return found("delayed-events-limited", v, "scheduling: %s", r)
	case strings.HasSuffix(r.ErrCode(), "DELAY_TOO_LARGE"):
		return found("delayed-events-short", v, "scheduling in %s: %s", probeDelay, r)
	case r.Status != http.StatusOK || json.Unmarshal(r.Body, &answer) != nil || answer.ID == "":
		return found("delayed-events-refused", v, "scheduling: %s", r)
	}
	return h.cancel(ctx, answer.ID)
}

// schedule asks the homeserver to schedule the delayed event.
func (h *homeserver) schedule(ctx context.Context) (instruments.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, scheduleTime)
	defer cancel()
	address := fmt.Sprintf("%s/_matrix/client/v3/rooms/%s/send/%s.doctor/%s?org.matrix.msc4140.delay=%d",
		h.base, url.PathEscape(h.o.Room), outbound.UserAgent, instruments.ProbeName(), probeDelay.Milliseconds())
	return h.look.Ask(ctx, instruments.Question{Method: http.MethodPut, URL: address, Body: "{}", Bearer: h.o.Token})
}

// isElsewhere reports whether the user is certainly not in the Matrix room.
// Homeservers answer this question only to members of the room, so a refusal
// means that the user is not in it.
func (h *homeserver) isElsewhere(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, h.look.Limit(memberTime))
	defer cancel()
	address := fmt.Sprintf("%s/_matrix/client/v3/rooms/%s/state/m.room.member/%s", h.base, url.PathEscape(h.o.Room), url.PathEscape(h.o.User.String()))
	r, err := h.look.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: address, Bearer: h.o.Token})
	var member struct {
		Membership string `json:"membership"`
	}
	switch {
	case err != nil:
		return false
	case r.Status == http.StatusOK && json.Unmarshal(r.Body, &member) == nil:
		return member.Membership != "join"
	}
	return r.ErrCode() == "M_FORBIDDEN" || r.ErrCode() == "M_NOT_FOUND"
}

// cancel cancels the event with this id, in up to two tries. It returns a
// fault if the event may still be scheduled.
func (h *homeserver) cancel(ctx context.Context, id string) engine.Finding {
	v := engine.Vars{"server": h.name.String(), "base": h.base}
	r, err := h.tryCancel(ctx, id)
	answerLost := err != nil // the homeserver may have got the request although its answer was lost
	if err != nil || r.Status/100 != 2 {
		<-time.After(cancelPause)
		r, err = h.tryCancel(ctx, id)
	}
	if answerLost && err == nil && r.Status == http.StatusNotFound && r.ErrCode() == "M_NOT_FOUND" {
		return ok("one event was scheduled in %s and cancelled", h.o.Room)
	}
	left := fmt.Sprintf("the event will be sent to %s in %s", h.o.Room, probeDelay)
	switch {
	case err != nil:
		return found("client-api-unreachable", v, "cancelling: %s; %s", reason(err), left)
	case r.Status == http.StatusTooManyRequests:
		return found("delayed-events-limited", v, "cancelling: %s; %s", r, left)
	case r.Status/100 != 2:
		return found("delayed-events-refused", v, "cancelling: %s; %s", r, left)
	}
	return ok("one event was scheduled in %s and cancelled", h.o.Room)
}

func (h *homeserver) tryCancel(ctx context.Context, id string) (instruments.Reply, error) {
	ctx, stop := context.WithTimeout(ctx, cancelTry)
	defer stop()
	return h.look.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: h.delayedURL(id, "cancel"), Body: "{}", Bearer: h.o.Token})
}
