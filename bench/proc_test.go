package main

import (
	"fmt"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const stat = "4711 (a) name (of 3) R 1 2 3 4 -1 4194304 99 0 0 0 250 31 7 7 20 0 9 0 114697 3133440 364"
	got, err := parseStat(stat)
	if want := 2810 * time.Millisecond; err != nil || got != want {
		t.Errorf("parseStat = %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"", "4711 (name", "4711 (name) R 1 2", "4711 (n) R 1 2 3 4 5 6 7 8 9 10 x y z"} {
		t.Run(fmt.Sprintf("%q", bad), func(t *testing.T) {
			if _, err := parseStat(bad); err == nil {
				t.Errorf("parseStat(%q): got no error, want one", bad)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	const status = "Name:\tx\nVmPeak:\t 1240000 kB\nVmHWM:\t   20000 kB\nVmRSS:\t   18000 kB\nRssAnon:\t    4000 kB\nThreads:\t7\n"
	got, err := parseStatus(status)
	if want := (memory{RSS: 18000 << 10, Anon: 4000 << 10, Peak: 20000 << 10}); err != nil || got != want {
		t.Errorf("parseStatus = %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "Name:\tx\n", "VmRSS:\tmany kB\n"} {
		t.Run(fmt.Sprintf("%q", bad), func(t *testing.T) {
			if _, err := parseStatus(bad); err == nil {
				t.Errorf("parseStatus(%q): got no error, want one", bad)
			}
		})
	}
	if got := got.RSS.String(); got != "18.4 MB" {
		t.Errorf("RSS: got %s, want 18.4 MB", got)
	}
}

func TestParseInitTrace(t *testing.T) {
	const trace = "something else\n" +
		"init internal/bytealg @0.014 ms, 0.25 ms clock, 0 bytes, 0 allocs\n" +
		"init runtime @0.087 ms, 1.5 ms clock, 0 bytes, 0 allocs\n"
	got, err := parseInitTrace(trace)
	if want := 1750 * time.Microsecond; err != nil || got != want {
		t.Errorf("parseInitTrace = %v, %v, want %v", got, err, want)
	}
	if _, err := parseInitTrace("init runtime\n"); err == nil {
		t.Error("parseInitTrace of half a line: got no error, want one")
	}
}
