package matrix

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(3, 2)
		a, other := ServerName{"a.test"}, ServerName{"b.test"}
		brief := func(s ServerName) (*share, error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return b.acquire(ctx, s)
		}
		first, err := brief(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := brief(a); err != nil {
			t.Fatal(err)
		}
		if _, err := brief(a); err == nil {
			t.Fatal("a third slot of two")
		}
		if _, err := brief(other); err != nil {
			t.Fatal(err)
		}
		if _, err := brief(other); err == nil {
			t.Fatal("a fourth slot of three in all")
		}
		b.release(a, first)
		if _, err := brief(other); err != nil {
			t.Errorf("what was given back is not there: %v", err)
		}
	})
}

func TestBudgetForgetsServers(t *testing.T) {
	b := newBudget(1, 1)
	for i := range 10 * sharesKept {
		server := ServerName{fmt.Sprint(i)}
		s, err := b.acquire(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		b.release(server, s)
	}
	if got := len(b.servers); got > sharesKept {
		t.Errorf("%d servers are remembered", got)
	}
}
