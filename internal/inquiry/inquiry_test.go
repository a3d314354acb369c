package inquiry

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/semaphore"
)

// inquirer makes inquiries about servers. Each inquiry waits until the test closes
// the channel release, and then returns "found".
type inquirer struct {
	t *testing.T
	*Inquiries[string, netip.Prefix, string]
	begun   chan string
	release chan struct{}
}

func newInquirer(t *testing.T, callers, permits semaphore.Bounds) *inquirer {
	return &inquirer{
		t: t, Inquiries: New[string, netip.Prefix, string](callers, permits, 8*time.Second),
		begun: make(chan string, 100), release: make(chan struct{}),
	}
}

// asked is the result of one call of Ask.
type asked struct {
	answer string
	err    error
	took   time.Duration
}

// about starts a goroutine that calls Ask about a server, for a client in the given
// network. The channel that about returns gets the result.
func (q *inquirer) about(ctx context.Context, server, from string) <-chan asked {
	result := make(chan asked, 1)
	go func() {
		start := time.Now()
		answer, err := q.Ask(ctx, server, netip.MustParsePrefix(from), q.find(server))
		result <- asked{answer, err, time.Since(start)}
	}()
	synctest.Wait()
	return result
}

func (q *inquirer) find(server string) func(context.Context) string {
	return func(ctx context.Context) string {
		q.begun <- server
		select {
		case <-q.release:
			return "found"
		case <-ctx.Done():
			return "nothing"
		}
	}
}

const here, there = "192.0.2.1/32", "192.0.2.2/32"

func TestInquiriesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 2})
		first, second := q.about(t.Context(), "a.test", here), q.about(t.Context(), "a.test", there)
		close(q.release)
		for _, result := range []<-chan asked{first, second} {
			if got := <-result; got.answer != "found" || got.err != nil {
				t.Errorf("%q, %v, want the answer", got.answer, got.err)
			}
		}
		if len(q.begun) != 1 {
			t.Errorf("got %d inquiries for two callers, want 1", len(q.begun))
		}
		synctest.Wait()
		if len(q.of) != 0 {
			t.Errorf("%d inquiries are remembered, want 0", len(q.of))
		}
	})
}

func TestAnInquiryWithoutASlotEndsWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 1})
		q.about(t.Context(), "slow.test", here)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := q.about(ctx, "a.test", here), q.about(ctx, "a.test", there)
		cancel()
		for _, result := range []<-chan asked{first, second} {
			if got := <-result; !errors.Is(got.err, context.Canceled) {
				t.Errorf("err = %v, want %v", got.err, context.Canceled)
			}
		}
		close(q.release)
		synctest.Wait()
		if len(q.begun) != 1 || len(q.of) != 0 {
			t.Errorf("%d inquiries were made and %d are remembered, want 1 and 0", len(q.begun), len(q.of))
		}
	})
}

func TestAnInquiryUnderWayGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 1})
		ctx, cancel := context.WithCancel(t.Context())
		first := q.about(ctx, "a.test", here)
		cancel()
		if got := <-first; !errors.Is(got.err, context.Canceled) {
			t.Errorf("err = %v, want %v", got.err, context.Canceled)
		}
		second := q.about(t.Context(), "a.test", there)
		close(q.release)
		if got := <-second; got.answer != "found" || len(q.begun) != 1 {
			t.Errorf("%q after %d inquiries, want the answer of the first", got.answer, len(q.begun))
		}
	})
}

// TestNobodyWaitsInAnotherNetworksQueue checks a question that two networks ask.
// The first network must wait for its own earlier questions. The second network
// asks later, but must get the answer as soon as it has a permit itself.
func TestNobodyWaitsInAnotherNetworksQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 4, Share: 1})
		q.about(t.Context(), "slow1.test", here)
		q.about(t.Context(), "slow2.test", here)
		crowded := q.about(t.Context(), "a.test", here)
		if len(q.begun) != 2 {
			t.Fatalf("%d inquiries of one network are under way, want 2 of 4", len(q.begun))
		}
		other := q.about(t.Context(), "a.test", there)
		close(q.release)
		for name, result := range map[string]<-chan asked{"the crowded network": crowded, "the other": other} {
			if got := <-result; got.answer != "found" || got.took != 0 {
				t.Errorf("%s: got %q after %v, want found at once", name, got.answer, got.took)
			}
		}
		if len(q.begun) != 3 {
			t.Errorf("%d inquiries were made, want 3", len(q.begun))
		}
	})
}

func TestTooManyCallersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{Total: 4, Share: 1}, semaphore.Bounds{})
		var busy *BusyError
		for i, want := range []bool{true, true, false} {
			result := q.about(t.Context(), "a.test", here)
			if got := len(result) == 0; got != want {
				t.Errorf("caller %d waits: %v, want %v", i, got, want)
			}
			if !want && !errors.As((<-result).err, &busy) {
				t.Errorf("caller %d: got no %T, want one: it is one too many", i, busy)
			}
		}
		if other := q.about(t.Context(), "a.test", there); len(other) > 0 {
			t.Errorf("a caller of another network: %v: got %v, want 0", (<-other).err, len(other))
		}
		close(q.release)
	})
}

// TestASlotThatDoesNotCome checks the error if a caller's time ends before it gets
// a permit. The error must say that too many callers ask, and nothing about the
// server.
func TestASlotThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 1})
		q.about(t.Context(), "slow.test", here)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var busy *BusyError
		if got := <-q.about(ctx, "a.test", here); !errors.As(got.err, &busy) || got.took != time.Second {
			t.Errorf("err = %v after %v, want a *BusyError after 1s", got.err, got.took)
		}
		close(q.release)
	})
}

// TestAHeldInquiry checks an inquiry that must wait because its asker has reached a
// limit ([Hold]). A different asker must start a new inquiry about the same server, and
// later callers must wait for the new inquiry.
func TestAHeldInquiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 8})
		ask := func(from string, find func(context.Context) string) <-chan asked {
			result := make(chan asked, 1)
			go func() {
				start := time.Now()
				answer, err := q.Ask(t.Context(), "a.test", netip.MustParsePrefix(from), find)
				result <- asked{answer, err, time.Since(start)}
			}()
			synctest.Wait()
			return result
		}
		hold := make(chan struct{})
		held := func(ctx context.Context) string {
			<-hold
			Hold(ctx)
			time.Sleep(5 * time.Second)
			return "late"
		}
		first, before := ask(here, held), q.about(t.Context(), "a.test", there)
		close(hold)
		synctest.Wait()
		after, same := q.about(t.Context(), "a.test", "192.0.2.3/32"), ask(here, held)
		close(q.release)
		for name, c := range map[string]struct {
			result <-chan asked
			want   asked
		}{
			"whose it is":             {first, asked{"late", nil, 5 * time.Second}},
			"who asked before":        {before, asked{"found", nil, 0}},
			"who asks then":           {after, asked{"found", nil, 0}},
			"whose it is, once again": {same, asked{"found", nil, 0}},
		} {
			if got := <-c.result; got != c.want {
				t.Errorf("%s: got %+v, want %+v", name, got, c.want)
			}
		}
		if len(q.begun) != 1 || len(q.of) != 0 {
			t.Errorf("%d other inquiries were made and %d are remembered, want 1 and 0", len(q.begun), len(q.of))
		}
	})
}

func TestAHintWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 1})
		from := netip.MustParsePrefix(here)
		q.Hint(t.Context(), "a.test", from, q.find("a.test"))
		q.Hint(t.Context(), "b.test", from, q.find("b.test"))
		synctest.Wait()
		if len(q.begun) != 1 || len(q.of) != 1 {
			t.Errorf("%d inquiries were begun and %d are remembered, want the one that had a permit", len(q.begun), len(q.of))
		}
		close(q.release)
	})
}

// TestInquiryPanics checks that all waiting callers get an error if find panics.
// The process and the next inquiry must go on as usual.
func TestInquiryPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newInquirer(t, semaphore.Bounds{}, semaphore.Bounds{Total: 1})
		from, arrived := netip.MustParsePrefix(here), make(chan struct{})
		panics := func(context.Context) string {
			<-arrived
			panic("a fault")
		}
		errs := make(chan error, 2)
		for range cap(errs) {
			go func() {
				_, err := q.Ask(t.Context(), "a.test", from, panics)
				errs <- err
			}()
		}
		synctest.Wait()
		close(arrived)
		for range cap(errs) {
			if _, ok := errors.AsType[*fault.Error](<-errs); !ok {
				t.Error("got no fault.Error, want the panic told")
			}
		}
		q.Hint(t.Context(), "b.test", from, panics)
		synctest.Wait()
		close(q.release)
		if got := <-q.about(t.Context(), "a.test", here); got.answer != "found" || got.err != nil {
			t.Errorf("the next inquiry: %q, %v, want its answer", got.answer, got.err)
		}
	})
}
