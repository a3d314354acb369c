package handler

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

// webhook serves POST /sfu_webhook. It stores the event, and then answers.
// LiveKit sends its next webhook only after this answer, so the service acts on
// the event later. After the event room_finished, webhook calls Closed, and the
// service no longer assumes that the room exists. room_finished changes no leave.
func (h *Handler) webhook(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(w)
	event, err := h.Webhooks.Receive(r)
	h.received.note(event, err)
	h.Metrics.Webhook(webhookResult(err))
	if err != nil {
		// The request is from a stranger, so the service does not read the rest
		// of the body.
		w.Header().Set("Connection", "close")
		fail(w, r, err)
		return
	}
	x.event = &event
	if event.ClosesRoom() && h.Closed != nil {
		h.Closed(event.Room)
	}
	if err := h.report(context.WithoutCancel(r.Context()), event); err != nil {
		fail(w, r, &webhookError{err})
		return
	}
	w.WriteHeader(http.StatusOK)
}

// Observer gets reports about participants who join or leave the SFU.
type Observer interface {
	// Report stores what has happened to a participant. It returns within a
	// second. After an error, LiveKit sends the webhook again, and all
	// observers get the event again. So an observer must accept the same event
	// twice. The error [leave.ErrAway] means that the observer cannot store the
	// event at the moment.
	Report(ctx context.Context, e sfu.Event) error
}

// report passes e to all observers. It does nothing if e is not about a
// participant who joined or left.
func (h *Handler) report(ctx context.Context, e sfu.Event) error {
	if e.Kind == sfu.KindOther {
		return nil
	}
	var errs []error
	for _, o := range h.Observers {
		errs = append(errs, o.Report(ctx, e))
	}
	return errors.Join(errs...)
}

func webhookResult(err error) string {
	if e, ok := errors.AsType[*sfu.RejectedError](err); ok {
		return e.Cause
	}
	return "ok"
}

// maxRecentRooms bounds how many rooms of webhooks this service remembers, to list
// them in /_status.
const maxRecentRooms = 100

// received records the webhooks that have arrived.
type received struct {
	mu           sync.Mutex
	verified     uint64
	last         time.Time // when the last verified webhook arrived
	rejected     map[string]uint64
	lastRejected map[string]time.Time // the keys are causes; the values say when the last webhook that was refused for this cause arrived
	rooms        []sfu.Room           // the rooms of the last webhooks; each room is there once, and the newest is the last
}

func (r *received) note(e sfu.Event, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now().UTC()
	if err != nil {
		if r.rejected == nil {
			r.rejected, r.lastRejected = map[string]uint64{}, map[string]time.Time{}
		}
		r.rejected[webhookResult(err)]++
		r.lastRejected[webhookResult(err)] = now
		return
	}
	r.verified++
	r.last = now
	if e.Room == "" {
		return
	}
	r.rooms = append(slices.DeleteFunc(r.rooms, func(room sfu.Room) bool { return room == e.Room }), e.Room)
	if len(r.rooms) > maxRecentRooms {
		r.rooms = slices.Delete(r.rooms, 0, 1)
	}
}

// webhookStatus is what /_status shows of webhooks.
type webhookStatus struct {
	Verified     uint64               `json:"verified"`
	Last         *time.Time           `json:"last_verified"`
	Rejected     map[string]uint64    `json:"rejected"`
	LastRejected map[string]time.Time `json:"last_rejected"`
	Rooms        []sfu.Room           `json:"recent_rooms"`
}

func (r *received) status() webhookStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := webhookStatus{
		Verified: r.verified, Rejected: map[string]uint64{}, LastRejected: map[string]time.Time{},
		Rooms: append([]sfu.Room{}, r.rooms...),
	}
	maps.Copy(s.Rejected, r.rejected)
	maps.Copy(s.LastRejected, r.lastRejected)
	if last := r.last; !last.IsZero() {
		s.Last = &last
	}
	return s
}
