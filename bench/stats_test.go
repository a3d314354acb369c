package main

import (
	"fmt"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var sorted []int
	for i := 1; i <= 200; i++ {
		sorted = append(sorted, i)
	}
	for p, want := range map[float64]int{0: 1, 50: 100, 99: 198, 99.9: 200, 100: 200} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			if got := percentile(sorted, p); got != want {
				t.Errorf("percentile %v = %d, want %d", p, got, want)
			}
		})
	}
	if got := percentile([]int{7}, 1); got != 7 {
		t.Errorf("percentile of one value = %d, want that value", got)
	}
	if got := percentile([]time.Duration(nil), 50); got != 0 {
		t.Errorf("percentile of nothing = %v, want 0", got)
	}
}

func TestMedian(t *testing.T) {
	values := []int{9, 1, 5}
	if got := median(values); got != 5 {
		t.Errorf("median = %d, want 5", got)
	}
	if values[0] != 9 {
		t.Errorf("values after median: got %v, want them in their order", values)
	}
	if got := median([]int{4, 1, 3, 2}); got != 2 {
		t.Errorf("median of four = %d, want the lower of the middle two", got)
	}
}

func TestSeries(t *testing.T) {
	run := func(requests int, server time.Duration) *measurement {
		return &measurement{loadResult: loadResult{
			Requests: requests, Elapsed: 2 * time.Second, CPU: []time.Duration{server, 0, 0},
		}}
	}
	s := series{run(100, time.Second), run(400, 2*time.Second), run(200, time.Second)}
	if got := s.rate(); got != 100 {
		t.Errorf("rate = %v, want the median 100/s", got)
	}
	if got, want := s.cpu(0), 5*time.Millisecond; got != want {
		t.Errorf("cpu = %v, want %v", got, want)
	}
}
