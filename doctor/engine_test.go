package doctor

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func ends(f Finding) func(context.Context) Finding {
	return func(context.Context) Finding { return f }
}

func ignore(*Check, int) {}

// TestDependents: what needs a check that failed is not looked at and names
// the one that failed, over any distance.
func TestDependents(t *testing.T) {
	broken := &Check{ID: "a.broken", Run: ends(found("service-down", nil, "x"))}
	near := &Check{ID: "a.near", Needs: []*Check{broken}, Run: ends(ok("looked"))}
	far := &Check{ID: "a.far", Needs: []*Check{near}, Run: ends(ok("looked"))}
	doubt := &Check{ID: "a.doubt", Run: ends(found("foci-slash", nil, "x"))}
	free := &Check{ID: "a.free", Needs: []*Check{doubt}, Run: ends(ok("looked"))}
	unjudged := &Check{ID: "a.unjudged", Run: ends(found("hairpin", nil, "x"))}
	held := &Check{ID: "a.held", Needs: []*Check{unjudged}, Run: ends(ok("looked"))}
	one := &Check{ID: "a.one", Any: []*Check{broken, doubt}, Run: ends(ok("looked"))}
	none := &Check{ID: "a.none", Any: []*Check{near, unjudged}, Run: ends(ok("looked"))}
	run(t.Context(), []*Check{one, none, far, near, broken, free, doubt, held, unjudged}, ignore)
	for c, want := range map[*Check]string{near: "a.broken", far: "a.broken", held: "a.unjudged", none: "a.broken"} {
		if c.ended.Status != NA || !strings.Contains(c.ended.Seen, want) {
			t.Errorf("%s: %s: %q, want it to name %s", c.ID, c.ended.Status, c.ended.Seen, want)
		}
	}
	if free.ended.Status != OK || one.ended.Status != OK {
		t.Errorf("after a mere warning: %s, with one of two good: %s", free.ended.Status, one.ended.Status)
	}
}

// TestExcuses: a fault that another check has explained is not told twice,
// unless the other one only doubts, or found what explains something else.
func TestExcuses(t *testing.T) {
	by := func(c *Check, causes string) []Excuse {
		return []Excuse{{c, strings.Fields(causes), []string{"service-proxy"}}}
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
	behind := &Check{ID: "a.behind", Needs: []*Check{again}, Run: ends(ok("looked"))}
	held := &Check{ID: "a.held", Needs: []*Check{farther}, Run: ends(ok("looked"))}
	v := vars{"host": "a"}
	twin := &Check{ID: "a.twin", Run: ends(found("tls-expired", v, "x"))}
	same := &Check{ID: "a.same", Twins: []*Check{twin}, Run: ends(found("tls-expired", v, "x"))}
	other := &Check{ID: "a.other", Twins: []*Check{twin}, Run: ends(found("tls-expired", vars{"host": "b"}, "x"))}
	run(t.Context(), []*Check{behind, held, farther, effect, cause, innocent, unlike, fault, again, doubt, same, other, twin}, ignore)
	for c, want := range map[*Check]Status{
		effect: NA, farther: NA, held: NA, innocent: Fail, unlike: Fail, fault: Fail, again: NA, behind: OK, same: NA, other: Fail,
	} {
		if c.ended.Status != want {
			t.Errorf("%s: %s, want %s", c.ID, c.ended.Status, want)
		}
	}
	for _, c := range []*Check{effect, farther, held} {
		if !strings.Contains(c.ended.Seen, "a.cause") {
			t.Errorf("%s does not name the excuse: %q", c.ID, c.ended.Seen)
		}
	}
}

// TestExcusesNameCauses: the table of excuses speaks of what the checks find.
func TestExcusesNameCauses(t *testing.T) {
	finds := func(check, cause string) {
		if c := byID[cause]; c == nil || !slices.Contains(c.Checks, check) {
			t.Errorf("%s does not find %s", check, cause)
		}
	}
	for id, list := range excuses {
		for _, x := range list {
			for cause := range strings.FieldsSeq(x.causes) {
				finds(x.by, cause)
			}
			for cause := range strings.FieldsSeq(x.shows) {
				finds(id, cause)
			}
			if (x.causes == "") != (x.shows == "") || !slices.Contains(checkIDs, x.by) {
				t.Errorf("%s: %+v", id, x)
			}
		}
	}
}

// TestTime: a check that does not end is left behind at its limit, and the run
// at its own.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		stuck := func(context.Context) Finding { <-stop; return ok("") }
		short := &Check{ID: "a.short", Limit: time.Second, Run: stuck}
		start := time.Now()
		run(t.Context(), []*Check{short}, ignore)
		if took := time.Since(start); took != time.Second+lastWord || short.ended.Cause.ID != "unfinished" {
			t.Errorf("after %s: %+v", took, short.ended)
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
		run(t.Context(), chain, ignore)
		if took := time.Since(start) + removeTime; took > 30*time.Second+10*lastWord {
			t.Errorf("the run took %s", took)
		}
	})
}

// TestEndOfRun: what the end of the run cuts short, or leaves no time for, is no
// fault of what was asked.
func TestEndOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := &Check{ID: "a.long", Limit: runLimit, Run: func(context.Context) Finding {
			time.Sleep(runLimit - time.Second)
			return ok("")
		}}
		cut := &Check{ID: "a.cut", After: []*Check{long}, Run: func(ctx context.Context) Finding {
			<-ctx.Done()
			return found("service-down", nil, "no answer in time")
		}}
		late := &Check{ID: "a.late", After: []*Check{cut}, Run: func(context.Context) Finding {
			t.Error("it was asked when the run was over")
			return found("service-down", nil, "no answer in time")
		}}
		absent := &Check{ID: "a.absent", After: []*Check{long}, Run: func(ctx context.Context) Finding {
			<-ctx.Done()
			return na("there is none")
		}}
		tidy := &Check{ID: "a.tidy", After: []*Check{long}, Grace: 3 * time.Second, Run: func(context.Context) Finding {
			time.Sleep(3 * time.Second)
			return found("foci-slash", nil, "left behind")
		}}
		run(t.Context(), []*Check{long, cut, late, absent, tidy}, ignore)
		for c, want := range map[*Check]string{long: "", cut: "unfinished", late: "unfinished", absent: "unfinished", tidy: "foci-slash"} {
			if got := nameOf(c.ended.Finding); got != want {
				t.Errorf("%s: %q, want %q: %s", c.ID, got, want, c.ended.Seen)
			}
		}
	})
}

// TestConcurrent: checks that need nothing run at the same time.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []*Check
		for range 20 {
			checks = append(checks, &Check{ID: "a.slow", Run: func(context.Context) Finding {
				time.Sleep(time.Second)
				return ok("")
			}})
		}
		start := time.Now()
		left := 20
		run(t.Context(), checks, func(_ *Check, n int) { left = n })
		if took := time.Since(start); took != time.Second || left != 0 {
			t.Errorf("took %s, %d left", took, left)
		}
	})
}

// TestInterruption: what had not ended when the run was interrupted has found
// nothing.
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
		stuck := &Check{ID: "a.stuck", Run: func(context.Context) Finding { <-stop; return ok("") }}
		later := &Check{ID: "a.later", After: []*Check{pending}, Run: ends(found("service-down", nil, "x"))}
		tidy := &Check{ID: "a.tidy", Grace: 3 * time.Second, Run: func(context.Context) Finding {
			time.Sleep(3 * time.Second)
			return found("foci-slash", nil, "left behind")
		}}
		time.AfterFunc(time.Second, interrupt)
		run(ctx, []*Check{fault, pending, stuck, later, tidy}, ignore)
		for _, c := range []*Check{pending, stuck, later} {
			if c.ended.Status != NA || c.ended.Seen != "interrupted" {
				t.Errorf("%s: %s: %s", c.ID, c.ended.Status, c.ended.Seen)
			}
		}
		if fault.ended.Status != Fail || tidy.ended.Status != Warn {
			t.Errorf("what ended before: %s, what was let end: %s", fault.ended.Status, tidy.ended.Status)
		}
	})
}
