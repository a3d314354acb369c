package deadline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/deadline"
)

type key struct{}

// makers make contexts that must behave in the same way.
var makers = map[string]func(context.Context, time.Duration) (context.Context, context.CancelFunc){
	"context.WithTimeout":  context.WithTimeout,
	"deadline.WithTimeout": deadline.WithTimeout,
}

// ends lists what can happen to a context, and the error that the context must then
// have. The test tries each case twice. In the first try, somebody waits for the context
// from the start. In the second try, nobody does.
var ends = map[string]struct {
	end  func(parent, own context.CancelFunc)
	want error
}{
	"nothing":                       {func(_, _ context.CancelFunc) {}, nil},
	"almost its time":               {func(_, _ context.CancelFunc) { time.Sleep(time.Second - 1) }, nil},
	"its time":                      {func(_, _ context.CancelFunc) { time.Sleep(time.Second) }, context.DeadlineExceeded},
	"canceled":                      {func(_, own context.CancelFunc) { own() }, context.Canceled},
	"the parent is canceled":        {func(parent, _ context.CancelFunc) { parent() }, context.Canceled},
	"its time, and then canceled":   {func(_, own context.CancelFunc) { time.Sleep(time.Second); own() }, context.DeadlineExceeded},
	"canceled, and then its time":   {func(_, own context.CancelFunc) { own(); time.Sleep(time.Second) }, context.Canceled},
	"the parent, and then itself":   {func(parent, own context.CancelFunc) { parent(); own() }, context.Canceled},
	"its time, and then the parent": {func(parent, _ context.CancelFunc) { time.Sleep(time.Second); parent() }, context.DeadlineExceeded},
}

func TestEnds(t *testing.T) {
	for made, make := range makers {
		for name, c := range ends {
			for _, waited := range []bool{true, false} {
				t.Run(made+"/"+name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						parent, endParent := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
						defer endParent()
						ctx, cancel := make(parent, time.Second)
						defer cancel()
						if waited {
							ctx.Done()
						}
						checkEnd(t, ctx, func() { c.end(endParent, cancel) }, c.want)
					})
				})
			}
		}
	}
}

// checkEnd calls the function end, and then checks the results of all methods of
// ctx.
func checkEnd(t *testing.T, ctx context.Context, end func(), want error) {
	t.Helper()
	start := time.Now()
	if err := ctx.Err(); err != nil {
		t.Errorf("at the beginning: got the error %v, want none", err)
	}
	end()
	synctest.Wait()
	// If nobody waited for ctx until its deadline, ctx may report the cancel that
	// came later, instead of the deadline.
	err := ctx.Err()
	if !errors.Is(err, want) && !(want == context.DeadlineExceeded && err == context.Canceled) || (err == nil) != (want == nil) {
		t.Errorf("got the error %v, want %v", err, want)
	}
	select {
	case <-ctx.Done():
		if want == nil {
			t.Error("Done: got a closed channel, want an open one")
		}
	default:
		if want != nil {
			t.Error("Done: got an open channel, want a closed one")
		}
	}
	if again := ctx.Err(); again != err {
		t.Errorf("asked again: got %v, want %v as before", again, err)
	}
	if at, ok := ctx.Deadline(); !ok || !at.Equal(start.Add(time.Second)) {
		t.Errorf("Deadline: got %v, %t; want %v", at, ok, start.Add(time.Second))
	}
	if got := ctx.Value(key{}); got != "value" {
		t.Errorf("Value: got %v, want the parent's", got)
	}
}

// TestNested checks that the parent's deadline counts if it is the earlier one. It
// also checks that a context derived from the test's context ends.
func TestNested(t *testing.T) {
	for made, make := range makers {
		t.Run(made, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, end := context.WithTimeout(t.Context(), time.Second)
				defer end()
				ctx, cancel := make(parent, time.Minute)
				defer cancel()
				derived, endDerived := context.WithTimeout(context.WithValue(ctx, key{}, 1), time.Hour)
				defer endDerived()
				start := time.Now()
				<-derived.Done()
				if took := time.Since(start); took != time.Second || derived.Err() != context.DeadlineExceeded {
					t.Errorf("got %v after %v, want %v after 1s", derived.Err(), took, context.DeadlineExceeded)
				}
			})
		})
	}
}

// TestDoneAfterTheEnd checks that Done returns a closed channel if it is first
// called after the context has ended.
func TestDoneAfterTheEnd(t *testing.T) {
	ctx, cancel := deadline.WithTimeout(t.Context(), time.Hour)
	cancel()
	<-ctx.Done()
	if err := ctx.Err(); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// TestAfterCancel checks when AfterCancel calls its function, for several contexts
// derived from a context of WithTimeout. The name of each case says what ends.
func TestAfterCancel(t *testing.T) {
	for name, c := range map[string]struct {
		derive func(context.Context) (context.Context, context.CancelFunc)
		end    func(parent, own, derived context.CancelFunc)
		want   bool
	}{
		"nothing":                   {plain, func(_, _, _ context.CancelFunc) {}, false},
		"the parent":                {plain, func(parent, _, _ context.CancelFunc) { parent() }, true},
		"its time":                  {plain, func(_, _, _ context.CancelFunc) { time.Sleep(time.Second) }, false},
		"derived, the parent":       {context.WithCancel, func(parent, _, _ context.CancelFunc) { parent() }, true},
		"derived, itself":           {context.WithCancel, func(_, own, _ context.CancelFunc) { own() }, true},
		"derived, the derived":      {context.WithCancel, func(_, _, derived context.CancelFunc) { derived() }, true},
		"derived, its time":         {context.WithCancel, func(_, _, _ context.CancelFunc) { time.Sleep(time.Second) }, true},
		"derived again, the parent": {short, func(parent, _, _ context.CancelFunc) { parent() }, true},
		"derived again, the first":  {short, func(_, own, _ context.CancelFunc) { own() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, endParent := context.WithCancel(t.Context())
				defer endParent()
				ctx, cancel := deadline.WithTimeout(parent, time.Second)
				defer cancel()
				derived, endDerived := c.derive(context.WithValue(ctx, key{}, 1))
				defer endDerived()
				called := false
				stop := deadline.AfterCancel(derived, func() { called = true })
				c.end(endParent, cancel, endDerived)
				synctest.Wait()
				if called != c.want || stop() == called {
					t.Errorf("got it called: %t, want %t, and stop to say so", called, c.want)
				}
			})
		})
	}
}

func plain(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }

func short(ctx context.Context) (context.Context, context.CancelFunc) {
	return deadline.WithTimeout(ctx, time.Millisecond)
}

// TestAfterCancelOfAnEndedOne checks AfterCancel with a context that has
// already ended.
func TestAfterCancelOfAnEndedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := deadline.WithTimeout(t.Context(), time.Hour)
		cancel()
		called := make(chan struct{})
		deadline.AfterCancel(ctx, func() { close(called) })
		<-called
	})
}

func BenchmarkWithTimeout(b *testing.B) {
	for made, make := range makers {
		b.Run(made, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parent, end := context.WithCancel(b.Context())
				ctx, cancel := make(parent, time.Hour)
				deadline.AfterCancel(ctx, func() {})()
				cancel()
				end()
			}
		})
	}
}
