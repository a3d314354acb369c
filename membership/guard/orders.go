package guard

import (
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

// order is one task of the guard: to ask about a person, and to end some of the
// person's sessions if the answer is "no".
type order struct {
	person
	// joined holds the person's sessions that the SFU reported. For each
	// LiveKit room, it holds only the session that was reported last.
	joined map[sfu.Room]sfu.Participant
	// issued is when the newest ticket of these sessions was issued, in whole
	// seconds.
	issued time.Time
	// changed says that the homeserver has pushed an event about the person.
	changed bool
}

// join adds a session that the SFU reported. It returns false if there was no
// space for the session.
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

// orders is a queue of the persons to ask about. A person is in the queue at
// most once, in the order of the first reason to ask. While a question about a
// person runs, new reasons wait. They lead to one more question, which begins
// after all of them.
type orders struct {
	mu      sync.Mutex
	waiting map[person]*order
	queue   []person // the persons to ask about, in order
	busy    map[person]bool
	ready   chan struct{} // holds one value for each person in queue
}

func newOrders() *orders {
	return &orders{
		waiting: map[person]*order{}, busy: map[person]bool{},
		// Each person in queue is there once, and is in waiting, too. waiting has
		// at most maxOrders persons. So a send to ready never blocks.
		ready: make(chan struct{}, maxOrders),
	}
}

// put adds a reason to ask the homeserver whether the person p is joined. It
// returns false if there was no space for the reason.
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
	o.queue = append(o.queue, p)
	o.ready <- struct{}{}
}

// take removes the next order, a task to ask about a person, from the queue.
// The caller must have read a value from ready before, and must call done when
// it has processed the order.
func (o *orders) take() *order {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.queue[0]
	o.queue = o.queue[1:]
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
