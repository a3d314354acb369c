package guard

import (
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

// order is why a person is asked about, and whose sessions a no ends.
type order struct {
	person
	// joined are the last sessions that began, by LiveKit room.
	joined map[sfu.Room]sfu.Participant
	// issued is when the last of their tickets was, in whole seconds.
	issued time.Time
	// changed: the homeserver has pushed an event.
	changed bool
}

// join adds a session that has begun. It reports whether there was room.
func (o *order) join(s session) bool {
	last, ok := o.joined[s.at]
	if !ok && len(o.joined) >= maxCalls {
		return false
	}
	if !ok || last.Since.Before(s.Since) {
		o.joined[s.at] = s.Participant
	}
	if s.issued.After(o.issued) {
		o.issued = s.issued
	}
	return true
}

// orders are the persons to be asked about: each once, in the order of their
// first reason. A person about whom a question is under way waits until it has
// ended, so that the next one begins after the last reason.
type orders struct {
	mu      sync.Mutex
	waiting map[person]*order
	line    []person // whose turn comes
	busy    map[person]bool
	ready   chan struct{} // one for each in line
}

func newOrders() *orders {
	return &orders{
		waiting: map[person]*order{}, busy: map[person]bool{},
		// Nobody is in line twice, nor while they are busy.
		ready: make(chan struct{}, maxOrders),
	}
}

// put adds a reason to the person's order. It reports whether there was room.
func (o *orders) put(p person, add func(*order) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := o.waiting[p]
	if waiting == nil {
		if len(o.waiting) >= maxOrders {
			return false
		}
		waiting = &order{person: p, joined: map[sfu.Room]sfu.Participant{}}
		o.waiting[p] = waiting
		if !o.busy[p] {
			o.lineUp(p)
		}
	}
	return add(waiting)
}

func (o *orders) lineUp(p person) {
	o.line = append(o.line, p)
	o.ready <- struct{}{}
}

// take returns the next order; done must be called when it is carried out. There
// must be one: see ready.
func (o *orders) take() *order {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.line[0]
	o.line = o.line[1:]
	next := o.waiting[p]
	delete(o.waiting, p)
	o.busy[p] = true
	return next
}

func (o *orders) done(p person) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, p)
	if o.waiting[p] != nil {
		o.lineUp(p)
	}
}
