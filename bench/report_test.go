package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	got := table([]string{"a", "b", "c"}, []string{"1", "2", "3"})
	const want = "| a | b | c |\n| --- | ---: | ---: |\n| 1 | 2 | 3 |\n"
	if got != want {
		t.Errorf("table:\n%s\nwant\n%s", got, want)
	}
}

// TestThroughputSection checks the tables for two baselines and the service.
// The service (c) is 1.3 times as fast as baseline (b). That meets the goal of
// 1.25. The service needs 0.77 of the CPU time of (b). That misses the goal of
// 0.70.
func TestThroughputSection(t *testing.T) {
	all := map[point]series{}
	for _, target := range targets() {
		for letter, requests := range map[string]int{"a": 4000, "b": 2000, "c": 2600} {
			all[point{letter, target.connections}] = series{{loadResult: loadResult{
				Requests: requests, Elapsed: time.Second, P50: time.Millisecond, P99: 2500 * time.Microsecond,
				CPU: []time.Duration{time.Second, 200 * time.Millisecond, 100 * time.Millisecond},
			}, opened: int64(target.connections), rss: 20e6}}
		}
	}
	got := throughputSection(all, options{repeats: 1})
	for _, want := range []string{
		"| 16 (b) | 2000 | 1.00 | 2.50 | 500.0 | 100.0 | 50.0 | 20.0 MB | 16 |",
		"| 16 (a) | 4000 | 1.00 | 2.50 | 250.0 | 50.0 | 25.0 | 20.0 MB | – |",
		"| 1 | **1.30** | 1.0: met | 1.25: met | **0.77** | – | 0.65 | 1.54 |",
		"| 64 | **1.30** | 1.0: met | 1.25: met | **0.77** | 0.70: **not met** | 0.65 | 1.54 |",
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("the section: got\n%s\nwant %s in it", got, want)
		}
	}
}

func TestWriteBlock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(file, []byte("before\n"+blockBegin+"old\n"+blockEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := writeBlock(file, "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "before\n" + blockBegin + "\nnew\n\n" + blockEnd + "after\n"; string(got) != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	if err := os.WriteFile(file, []byte("no markers\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeBlock(file, "new\n"); err == nil {
		t.Error("writeBlock of a file without markers: got no error, want one")
	}
}

func TestForeignImports(t *testing.T) {
	got := foreignImports("net/http\ngithub.com/go-chi/chi/v5\nmatrixrtc-auth/matrix\n\ngolang.org/x/time/rate\ngithub.com/go-chi/chi/v5\n")
	if want := []string{"github.com/go-chi/chi/v5", "golang.org/x/time/rate"}; !slices.Equal(got, want) {
		t.Errorf("foreignImports = %q, want %q", got, want)
	}
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-only", "start, memory", "-repeats", "5"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !o.wants("start") || !o.wants("memory") || o.wants("deps") || o.repeats != 5 {
		t.Errorf("got the options %+v, want start and memory alone, 5 times", o)
	}
	for _, bad := range [][]string{{"-only", "speed"}, {"-repeats", "0"}, {"-duration", "0s"}, {"-only", "start", "-write"}, {"more"}} {
		t.Run(strings.Join(bad, " "), func(t *testing.T) {
			if _, err := parseOptions(bad, io.Discard); err == nil {
				t.Errorf("options %q: got no error, want one", bad)
			}
		})
	}
}
