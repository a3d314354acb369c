package filestore

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/internal/logtest"
)

// child is an environment variable that TestKill sets for its child process. Its value
// is the path of the file that the child process writes until it is killed.
const child = "FILESTORE_TEST_CHILD"

// writeForEver writes jobs until its process is killed. It prints a line when the store
// has acknowledged a write, and a line before it ends a job.
func writeForEver(t *testing.T, path string) {
	s, err := open(t.Context(), path, clock.New(), slog.New(slog.DiscardHandler), osDisk{}, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	say := func(what string, n int) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, n)
	}
	const writers = 8
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := os.Getpid()*1_000_000 + w; !t.Failed(); n += writers {
				put(t, s, n)
				say("put", n)
				change(t, s, n, false)
				say("saved", n)
				if w%2 == 0 {
					say("ending", n)
					change(t, s, n, true)
					say("ended", n)
				}
			}
		})
	}
	wg.Wait()
}

// TestKill kills a process in the middle of its writes, again and again. After each
// kill, the file must have all acknowledged writes, and must not be damaged.
func TestKill(t *testing.T) {
	if path := os.Getenv(child); path != "" {
		writeForEver(t, path)
		return
	}
	p := newPlace(t)
	p.machine = &clocktest.Machine{}
	last := map[int]string{} // the last line that the child process has printed about each job
	for round := range 4 {
		writeUntilKilled(t, p.path, 400+100*round, last)
		p.log = &logtest.Log{}
		s := p.open(t, osDisk{}, spare)
		for n, said := range last {
			j, err := s.Get(t.Context(), job(t, n).Key)
			switch {
			case said == "ended" && err == nil:
				t.Errorf("job %d, which had ended: got %v, want none", n, j)
			case said == "saved" && (err != nil || j.Session == ""):
				t.Errorf("job %d, which was saved: got %v, %v, want it with its session", n, j, err)
			case said == "put" && err != nil:
				t.Errorf("job %d, which was put: got %v, want no error", n, err)
			}
		}
		if len(p.aside(t)) > 0 || p.log.Has("level=ERROR") {
			t.Errorf("log: got %s, want no damage", p.log.String())
		}
		wantAllDue(t, s)
		s.Close()
	}
}

// wantAllDue checks that each job can be claimed now, but only once. The due times in
// the file are years ahead. But when the store was opened, it made all jobs due.
func wantAllDue(t *testing.T, s *Store) {
	t.Helper()
	now, all := time.Now(), len(s.Keys())
	for _, want := range []int{all, 0} {
		if claimed, err := s.Claim(t.Context(), "holder", now, all+1); err != nil || len(claimed) != want {
			t.Errorf("Claim: got %d of %d jobs (%v), want %d", len(claimed), all, err, want)
		}
	}
	if all == 0 {
		t.Error("the store holds no jobs, want some")
	}
}

// writeUntilKilled runs a child process, and kills it after it has printed the given
// number of lines (words). Each line has a word and a job's number. For each job
// number, writeUntilKilled stores in the map last the word of the last line about that
// job.
func writeUntilKilled(t *testing.T, path string, words int, last map[int]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), child+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for said.Scan() {
		var what string
		var n int
		if _, err := fmt.Sscan(said.Text(), &what, &n); err != nil {
			t.Errorf("reading the line %q of the child: got %v, want no error", said.Text(), err)
			continue
		}
		last[n] = what
		if words--; words == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if words > 0 {
		t.Fatalf("the child ended by itself, %d lines before it was to be killed", words)
	}
}
