package matrixtest

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// The paths of the Client-Server API that delayed events need (MSC4140).
const (
	VersionsPath = "/_matrix/client/versions"
	delayedPath  = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"
)

// DelayedEvents are the delayed events of a homeserver. Each is sent when its
// delay has passed, unless it is restarted. They are managed over HTTP.
type DelayedEvents struct {
	mu      sync.Mutex
	events  map[string]*delayedEvent
	closed  bool           // requests without an access token get 401 M_MISSING_TOKEN
	asked   map[string]int // by action
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

// Fate is what happened to a delayed event.
type Fate struct {
	// Over is "" while it waits, else "sent" (on request), "fired" (its delay has
	// passed) or "cancelled". At is when.
	Over string
	At   time.Time
	// Restarts counts successful restarts. Late is the longest time between two
	// of them, or before the first.
	Restarts int
	Late     time.Duration
	// Sends counts the requests to send it, successful or not.
	Sends int

	restarted time.Time
}

// Schedule schedules an event with this id, to be sent after delay.
func (d *DelayedEvents) Schedule(id string, delay time.Duration) { d.ScheduleFor("", "", id, delay) }

// ScheduleFor is Schedule for an event of owner, a full user id, in room. The
// owner can look it up.
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

// Fate returns what happened to an event.
func (d *DelayedEvents) Fate(id string) Fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.events[id]; e != nil {
		return e.Fate
	}
	return Fate{}
}

// Asked returns how many requests for an action ("restart", "send", "cancel")
// there were, successful or not.
func (d *DelayedEvents) Asked(action string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[action]
}

// ScriptDelayed calls answer for each request about events from now on. A true
// result says that it has answered. nil ends that.
func (d *DelayedEvents) ScriptDelayed(answer func(w http.ResponseWriter, r *http.Request, action, id string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.script = answer
}

// stop stops the timers.
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

// serve answers the requests about delayed events.
func (d *DelayedEvents) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == VersionsPath && r.Method == http.MethodGet {
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
