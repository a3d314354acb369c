package timing_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/timing"
)

func TestOrder(t *testing.T) {
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	second := first.Add(time.Nanosecond)
	for name, pair := range map[string][2]time.Time{"in order": {first, second}, "the other way": {second, first}} {
		t.Run(name, func(t *testing.T) {
			if got := timing.Later(pair[0], pair[1]); !got.Equal(second) {
				t.Errorf("Later(%v, %v): got %v, want %v", pair[0], pair[1], got, second)
			}
			if got := timing.Earlier(pair[0], pair[1]); !got.Equal(first) {
				t.Errorf("Earlier(%v, %v): got %v, want %v", pair[0], pair[1], got, first)
			}
		})
	}
}

func TestSleep(t *testing.T) {
	for name, c := range map[string]struct {
		wait, ends time.Duration // how long Sleep is to wait, and when the context ends
		took       time.Duration
		goesOn     bool
	}{
		"to its end":                  {wait: time.Minute, ends: time.Hour, took: time.Minute, goesOn: true},
		"until the context ends":      {wait: time.Hour, ends: time.Minute, took: time.Minute},
		"for nothing":                 {wait: 0, ends: time.Hour, goesOn: true},
		"for less":                    {wait: -time.Hour, ends: time.Hour, goesOn: true},
		"for nothing, in vain":        {wait: 0, ends: 0},
		"with a context that is over": {wait: time.Hour, ends: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.ends)
				defer cancel()
				start := time.Now()
				goesOn := timing.Sleep(ctx, c.wait)
				if took := time.Since(start); goesOn != c.goesOn || took != c.took {
					t.Errorf("Sleep(%v) with a context that ends after %v: got %v after %v, want %v after %v", c.wait, c.ends, goesOn, took, c.goesOn, c.took)
				}
			})
		})
	}
}
