package standby_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave/standby"
)

func TestBeginsDegraded(t *testing.T) {
	eachFault(t, func(t *testing.T, behind *faulty, what fault) {
		behind.set(what)
		var seen observed
		s := standby.New(t.Context(), behind, quiet(), seen.observe)
		defer s.Close()
		wantDegraded(t, s, true)
		took(t, "Put", 0, func() { put(t, s, job(t, "a")) })
		time.Sleep(time.Minute)
		behind.set(none)
		time.Sleep(soon)
		get(t, behind.Store, job(t, "a").Key)
		if got := seen.String(); got != "degraded ok " {
			t.Errorf("observed: got %q, want degraded, then ok", got)
		}
	})
}

// observed records each Status that a Store passes to its function observe.
type observed struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *observed) observe(s standby.Status) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.Degraded {
		o.text.WriteString("degraded ")
	} else {
		o.text.WriteString("ok ")
	}
}

func (o *observed) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func TestCloseTriesOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newFaulty()
		s := standby.New(t.Context(), behind, quiet(), nil)
		behind.set(fails)
		put(t, s, job(t, "a"))
		behind.set(none)
		s.Close()
		get(t, behind.Store, job(t, "a").Key)
	})
}

func TestCloseTellsWhatIsLost(t *testing.T) {
	eachFault(t, func(t *testing.T, behind *faulty, what fault) {
		var log strings.Builder
		s := standby.New(t.Context(), behind, slog.New(slog.NewTextHandler(&log, nil)), nil)
		behind.set(what)
		put(t, s, job(t, "a"))
		s.Close()
		if what != mute && !strings.Contains(log.String(), "delegations=1") {
			t.Errorf("log: got %s, want delegations=1 in it", &log)
		}
		behind.set(none)
	})
}
