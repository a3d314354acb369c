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

// webhook is POST /sfu_webhook. What it reports is written down before the
// answer, and acted on after it: LiveKit sends the next only then.
func (h *Handler) webhook(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(w)
	event, err := h.Webhooks.Receive(r)
	h.received.note(event, err)
	h.Metrics.Webhook(webhookResult(err))
	if err != nil {
		// Of what a stranger sends no more is read.
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

// Observer hears of who comes to the SFU and goes.
type Observer interface {
	// Report writes down what has happened to a participant, within a second.
	// After an error LiveKit reports it again, to every observer: they all have
	// to bear that an event comes twice. [leave.ErrAway] says that it could not
	// be written down yet.
	Report(ctx context.Context, e sfu.Event) error
}

// report has all observers hear of e, if it is about anybody's presence.
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

// maxRecentRooms bounds the rooms of webhooks that are remembered.
const maxRecentRooms = 100

// received remembers which webhooks came.
type received struct {
	mu           sync.Mutex
	verified     uint64
	last         time.Time // when the last one that is verified came
	rejected     map[string]uint64
	lastRejected map[string]time.Time // by the cause, too
	rooms        []sfu.Room           // of the last ones, each once, the last at the end
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

// webhookStatus is the part of /_status about webhooks.
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
