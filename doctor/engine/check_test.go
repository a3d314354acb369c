package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func ends(f Finding) func(context.Context) Finding {
	return func(context.Context) Finding { return f }
}

func ignore(string, Status, int) {}

// usual leaves a limit as it is.
func usual(limit time.Duration) time.Duration { return limit }

// found returns a finding with a cause that has this id. The causes foci-slash
// and hairpin are warnings.
func found(id string, v Vars, format string, args ...any) Finding {
	c := &Cause{ID: id, Status: Fail}
	switch id {
	case "apex-closed", "sfu-closed":
		c.Kind = "closed"
	case "foci-slash":
		c.Status = Warn
	case "dead-address":
		c.Spares = true
	case "hairpin":
		c.Status, c.Blocks = Warn, true
	}
	return Because(c, v, format, args...)
}

func nameOf(f Finding) string {
	if f.Cause == nil {
		return ""
	}
	return f.Cause.ID
}

// TestDependents checks that Run does not make a check that needs a failed
// check, directly or through other checks. The finding of the check that was
// not made must name the failed check.
func TestDependents(t *testing.T) {
	broken := &Check{ID: "a.broken", Run: ends(found("service-down", nil, "x"))}
	near := &Check{ID: "a.near", Needs: []*Check{broken}, Run: ends(Right("looked"))}
	far := &Check{ID: "a.far", Needs: []*Check{near}, Run: ends(Right("looked"))}
	doubt := &Check{ID: "a.doubt", Run: ends(found("foci-slash", nil, "x"))}
	free := &Check{ID: "a.free", Needs: []*Check{doubt}, Run: ends(Right("looked"))}
	unjudged := &Check{ID: "a.unjudged", Run: ends(found("hairpin", nil, "x"))}
	held := &Check{ID: "a.held", Needs: []*Check{unjudged}, Run: ends(Right("looked"))}
	partly := &Check{ID: "a.partly", Run: ends(found("dead-address", nil, "x"))}
	spared := &Check{ID: "a.spared", Needs: []*Check{partly}, Run: ends(Right("looked"))}
	one := &Check{ID: "a.one", Any: []*Check{broken, doubt}, Run: ends(Right("looked"))}
	none := &Check{ID: "a.none", Any: []*Check{near, unjudged}, Run: ends(Right("looked"))}
	Run(t.Context(), usual, []*Check{one, none, far, near, broken, free, doubt, held, unjudged, partly, spared}, ignore)
	for c, want := range map[*Check]string{near: "a.broken", far: "a.broken", held: "a.unjudged", none: "a.broken"} {
		if c.ended.Status != NA || !strings.Contains(c.ended.Seen, want) {
			t.Errorf("%s: %s: %q, want it to name %s", c.ID, c.ended.Status, c.ended.Seen, want)
		}
	}
	if spared.ended.Status != OK {
		t.Errorf("a check that needs one of which a part answers: got %s, want %v", spared.ended.Status, OK)
	}
	if free.ended.Status != OK || one.ended.Status != OK {
		t.Errorf("got %s after a mere warning, %s with one of two good, want %s of both", free.ended.Status, one.ended.Status, OK)
	}
}

// TestExcuses checks that Run reports a fault only once if another check
// explains it. Run must report the fault if the other check has only a warning,
// or found something that does not explain the fault.
func TestExcuses(t *testing.T) {
	by := func(c *Check, causes string) []Excuse {
		return []Excuse{{By: c, Causes: strings.Fields(causes), Shows: []string{"service-proxy"}}}
	}
	broken := ends(found("service-proxy", nil, "502"))
	cause := &Check{ID: "a.cause", Run: ends(found("service-down", nil, "x"))}
	effect := &Check{ID: "a.effect", Excuses: by(cause, "service-stalled service-down"), Run: broken}
	farther := &Check{ID: "a.farther", Excuses: by(effect, "service-proxy"), Run: broken}
	innocent := &Check{ID: "a.innocent", Excuses: by(cause, "service-stalled"), Run: broken}
	unlike := &Check{ID: "a.unlike", Excuses: by(cause, "service-down"), Run: ends(found("service-no-route", nil, "404"))}
	doubt := &Check{ID: "a.doubt", Run: ends(found("foci-slash", nil, "x"))}
	fault := &Check{ID: "a.fault", Excuses: by(doubt, "foci-slash"), Run: broken}
	again := &Check{ID: "a.again", Excuses: []Excuse{{By: doubt}}, Run: ends(found("foci-slash", nil, "x"))}
	behind := &Check{ID: "a.behind", Needs: []*Check{again}, Run: ends(Right("looked"))}
	held := &Check{ID: "a.held", Needs: []*Check{farther}, Run: ends(Right("looked"))}
	expired := func(places ...string) func(context.Context) Finding {
		return ends(found("tls-expired", nil, "x").In(places...))
	}
	twin := &Check{ID: "a.twin", Run: expired("a:443", "192.0.2.1:443")}
	same := &Check{ID: "a.same", Twins: []*Check{twin}, Run: expired("b:443", "192.0.2.1:443")}
	other := &Check{ID: "a.other", Twins: []*Check{twin}, Run: expired("b:443", "192.0.2.2:443")}
	nowhere := &Check{ID: "a.nowhere", Twins: []*Check{twin}, Run: expired()}
	here := &Check{ID: "a.here", Excuses: []Excuse{{By: twin, Here: true}}, Run: expired("a:443")}
	there := &Check{ID: "a.there", Excuses: []Excuse{{By: twin, Here: true}}, Run: expired("b:443")}
	closed := &Check{ID: "a.closed", Run: ends(found("apex-closed", nil, "x").In("192.0.2.1:443"))}
	kin := &Check{ID: "a.kin", Twins: []*Check{closed}, Run: ends(found("sfu-closed", nil, "x").In("192.0.2.1:443"))}
	Run(t.Context(), usual, []*Check{behind, held, farther, effect, cause, innocent, unlike, fault, again, doubt, same, other, nowhere, here, there, kin, closed, twin}, ignore)
	for c, want := range map[*Check]Status{
		effect: NA, farther: NA, held: NA, innocent: Fail, unlike: Fail, fault: Fail, again: NA, behind: OK, same: NA, other: Fail,
		nowhere: Fail, here: NA, there: Fail, kin: NA,
	} {
		if c.ended.Status != want {
			t.Errorf("%s: %s, want %s", c.ID, c.ended.Status, want)
		}
	}
	for _, c := range []*Check{effect, farther, held} {
		if !strings.Contains(c.ended.Seen, "a.cause") {
			t.Errorf("%s does not name the excuse: got %q, want a.cause in it", c.ID, c.ended.Seen)
		}
	}
}

// TestTime checks that Run stops waiting for a check at the check's limit, and
// that Run itself ends at the limit of the run.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		stuck := func(context.Context) Finding { <-stop; return Right("") }
		short := &Check{ID: "a.short", Limit: time.Second, Run: stuck}
		start := time.Now()
		Run(t.Context(), usual, []*Check{short}, ignore)
		if took := time.Since(start); took != time.Second+lastWord || short.ended.Cause.ID != "unfinished" {
			t.Errorf("got %+v after %s, want unfinished after %s", short.ended, took, time.Second+lastWord)
		}

		var chain []*Check
		for range 10 {
			c := &Check{ID: "a.slow", Limit: 20 * time.Second, Run: stuck}
			if len(chain) > 0 {
				c.After = chain[len(chain)-1:]
			}
			chain = append(chain, c)
		}
		start = time.Now()
		Run(t.Context(), usual, chain, ignore)
		if took := time.Since(start) + 3*time.Second; took > 30*time.Second+10*lastWord {
			t.Errorf("the run: got %s, want at most %s", took, 30*time.Second+10*lastWord)
		}
	})
}

// TestEndOfRun checks that a check reports no fault if the end of the run
// interrupts the check, or leaves no time for it.
func TestEndOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := &Check{ID: "a.long", Limit: runLimit, Run: func(context.Context) Finding {
			time.Sleep(runLimit - time.Second)
			return Right("")
		}}
		cut := &Check{ID: "a.cut", After: []*Check{long}, Run: func(ctx context.Context) Finding {
			<-ctx.Done()
			return found("service-down", nil, "no answer in time")
		}}
		late := &Check{ID: "a.late", After: []*Check{cut}, Run: func(context.Context) Finding {
			t.Error("the check ran after the end of the run, want that it does not")
			return found("service-down", nil, "no answer in time")
		}}
		absent := &Check{ID: "a.absent", After: []*Check{long}, Run: func(ctx context.Context) Finding {
			<-ctx.Done()
			return NotLooked("there is none")
		}}
		tidy := &Check{ID: "a.tidy", After: []*Check{long}, Grace: 3 * time.Second, Run: func(context.Context) Finding {
			time.Sleep(3 * time.Second)
			return found("foci-slash", nil, "left behind")
		}}
		Run(t.Context(), usual, []*Check{long, cut, late, absent, tidy}, ignore)
		for c, want := range map[*Check]string{long: "", cut: "unfinished", late: "unfinished", absent: "unfinished", tidy: "foci-slash"} {
			if got := nameOf(c.ended.Finding); got != want {
				t.Errorf("%s: %q, want %q: %s", c.ID, got, want, c.ended.Seen)
			}
		}
	})
}

// TestConcurrent checks that Run makes checks at the same time if they need no
// other check.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []*Check
		for range 20 {
			checks = append(checks, &Check{ID: "a.slow", Run: func(context.Context) Finding {
				time.Sleep(time.Second)
				return Right("")
			}})
		}
		start := time.Now()
		left := 20
		Run(t.Context(), usual, checks, func(_ string, _ Status, n int) { left = n })
		if took := time.Since(start); took != time.Second || left != 0 {
			t.Errorf("got %s and %d left, want 1 s and none", took, left)
		}
	})
}

// TestInterruption checks that a check reports no fault if it has not ended
// when the run is interrupted.
func TestInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		fault := &Check{ID: "a.fault", Run: ends(found("service-down", nil, "x"))}
		pending := &Check{ID: "a.pending", Run: func(ctx context.Context) Finding {
			<-ctx.Done()
			return found("service-down", nil, "x")
		}}
		stop := make(chan struct{})
		defer close(stop)
		stuck := &Check{ID: "a.stuck", Run: func(context.Context) Finding { <-stop; return Right("") }}
		later := &Check{ID: "a.later", After: []*Check{pending}, Run: ends(found("service-down", nil, "x"))}
		tidy := &Check{ID: "a.tidy", Grace: 3 * time.Second, Run: func(context.Context) Finding {
			time.Sleep(3 * time.Second)
			return found("foci-slash", nil, "left behind")
		}}
		time.AfterFunc(time.Second, interrupt)
		Run(ctx, usual, []*Check{fault, pending, stuck, later, tidy}, ignore)
		for _, c := range []*Check{pending, stuck, later} {
			if c.ended.Status != NA || c.ended.Seen != "interrupted" {
				t.Errorf("%s: got %s: %s, want %s: interrupted", c.ID, c.ended.Status, c.ended.Seen, NA)
			}
		}
		if fault.ended.Status != Fail || tidy.ended.Status != Warn {
			t.Errorf("got %s of what ended before, %s of what was let end, want %s and %s", fault.ended.Status, tidy.ended.Status, Fail, Warn)
		}
	})
}
