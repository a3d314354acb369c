package matrixtest

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Requests about delayed events use these paths of the Client-Server API
// (MSC4140).
const (
	versionsPath = "/_matrix/client/versions"
	delayedPath  = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"
)

// DelayedEvents are the delayed events of a homeserver. Clients manage them
// over HTTP. The homeserver sends an event when the event's delay is over. The
// delay begins when the event is scheduled, and begins again at each restart.
type DelayedEvents struct {
	mu      sync.Mutex
	events  map[string]*delayedEvent
	closed  bool           // whether requests without an access token get 401 M_MISSING_TOKEN
	asked   map[string]int // how many requests there were for each action
	script  func(w http.ResponseWriter, r *http.Request, action, id string) bool
	stopped bool
}

type delayedEvent struct {
	Fate
	owner string // a full user id; "" if the owner is unknown
	room  string
	delay time.Duration
	timer *time.Timer
}

// Fate says what happened to a delayed event.
type Fate struct {
	// Over is "" while the event waits. It is "sent" after a request to send
	// the event, "fired" when the event's delay has passed, and "cancelled"
	// after a cancel. At is the time at which Over changed.
	Over string
	At   time.Time
	// Restarts counts successful restarts. Late is the longest time between two
	// restarts, or between the scheduling and the first restart.
	Restarts int
	Late     time.Duration
	// Sends counts the requests to send the event, successful or not.
	Sends int

	restarted time.Time
}

// Schedule schedules an event with this id. The homeserver sends it after
// delay.
func (d *DelayedEvents) Schedule(id string, delay time.Duration) { d.ScheduleFor("", "", id, delay) }

// ScheduleFor is like Schedule, for an event of the user owner in room. owner
// is a full user id. Only owner can look up the event.
func (d *DelayedEvents) ScheduleFor(owner, room, id string, delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.events == nil {
		d.events = map[string]*delayedEvent{}
	}
	e := &delayedEvent{owner: owner, room: room, delay: delay, Fate: Fate{restarted: time.Now()}}
	e.timer = time.AfterFunc(delay, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.stopped {
			e.end("fired")
		}
	})
	d.events[id] = e
}

// Fate returns what has happened to the event with this id.
func (d *DelayedEvents) Fate(id string) Fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.events[id]; e != nil {
		return e.Fate
	}
	return Fate{}
}

// Asked returns how many requests for an action there were, successful or not.
// The actions are "restart", "send" and "cancel".
func (d *DelayedEvents) Asked(action string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[action]
}

// ScriptDelayed sets the function that the homeserver calls for each request
// about a delayed event. If answer returns false, the homeserver answers as usual.
// ScriptDelayed(nil) removes the function.
func (d *DelayedEvents) ScriptDelayed(answer func(w http.ResponseWriter, r *http.Request, action, id string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.script = answer
}

// stop stops the timers of all events.
func (d *DelayedEvents) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	for _, e := range d.events {
		e.timer.Stop()
	}
}

func (e *delayedEvent) end(how string) {
	if e.Over == "" {
		e.Over, e.At = how, time.Now()
		e.timer.Stop()
	}
}

// serve answers requests about delayed events. It returns false for all other
// requests.
func (d *DelayedEvents) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == versionsPath && r.Method == http.MethodGet {
		writeJSON(w, http.StatusOK, map[string]any{
			"versions": []string{"v1.11"}, "unstable_features": map[string]bool{"org.matrix.msc4140": true},
		})
		return true
	}
	id, action, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, delayedPath), "/")
	if !ok || !strings.HasPrefix(r.URL.Path, delayedPath) || r.Method != http.MethodPost {
		return false
	}
	d.mu.Lock()
	if d.asked == nil {
		d.asked = map[string]int{}
	}
	d.asked[action]++
	if e := d.events[id]; e != nil && action == "send" {
		e.Sends++
	}
	script := d.script
	d.mu.Unlock()
	if script == nil || !script(w, r, action, id) {
		d.manage(w, action, id)
	}
	return true
}

func (d *DelayedEvents) manage(w http.ResponseWriter, action, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.events[id]
	if e == nil || e.Over != "" {
		writeJSON(w, http.StatusNotFound, matrixError("M_NOT_FOUND", "No such event"))
		return
	}
	switch action {
	case "restart":
		e.timer.Reset(e.delay)
		e.Restarts++
		e.Late = max(e.Late, time.Since(e.restarted))
		e.restarted = time.Now()
	case "send":
		e.end("sent")
	case "cancel":
		e.end("cancelled")
	default:
		writeJSON(w, http.StatusNotFound, matrixError("M_UNRECOGNIZED", "Unrecognized request"))
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}
