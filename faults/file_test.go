package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDamagedFile checks that a process starts with a damaged file. The process
// must keep the damaged file under another name, log an error, and go on.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	flip := func(part float64) func([]byte) []byte {
		return func(b []byte) []byte {
			for i := range 3 {
				b[int(part*float64(len(b)))+i] ^= 0x55
			}
			return b
		}
	}
	for name, damage := range map[string]func([]byte) []byte{
		"beginning":    flip(0),
		"a third":      flip(0.3),
		"the middle":   flip(0.5),
		"towards end":  flip(0.8),
		"empty":        func([]byte) []byte { return nil },
		"cut short":    func(b []byte) []byte { return b[:20] },
		"other things": func([]byte) []byte { return []byte(strings.Repeat("\x00\xff\n", 5000)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			damaged(w, damage)
			s := w.start()
			w.mustAnswer("call")
			aside, _ := filepath.Glob(w.file() + ".corrupt-*")
			if len(aside) != 1 || !strings.Contains(s.text(), "level=ERROR") || !strings.Contains(s.text(), aside[0]) {
				t.Errorf("got the files %q kept aside, want one, named in the log:\n%s", aside, s.lastLines())
			}
			w.mustKeepLeaves()
		})
	}
}

// damaged lets a process write leaves to its file, and kills the process. Then
// it calls damage to change the bytes of the file.
func damaged(w *world, damage func([]byte) []byte) {
	w.t.Helper()
	s := w.start()
	const together, alone = 40, 10
	w.mustEnter(together, "call", time.Hour)
	await(w.t, waitTime, "that all are seen", func() bool { return w.restarted() == together })
	// The test is about to damage the file. The damage must also reach records before
	// the last write, because damage to the last write alone would look like an
	// incomplete write. So these leaves enter one at a time: the process then writes
	// each of them separately, and the last write is a small part of the file.
	for range alone {
		w.mustEnter(1, "call", time.Hour)
	}
	s.kill()
	w.retire(s)
	content, err := os.ReadFile(w.file())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.file(), damage(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members = nil // the service may have lost some of these members' leaves, so the test checks them no more
}

// mustAnswer makes five clients ask the service for a token. It fails the test
// if a client gets no token.
func (w *world) mustAnswer(call string) {
	w.t.Helper()
	for i := range 5 {
		if _, err := w.token(w.newRequest(fmt.Sprint("other", i), call)); err != nil {
			w.t.Fatalf("asking for a token: got %v, want no error", err)
		}
	}
}

// mustKeepLeaves delegates a leave, kills the process, and starts a new one.
// The new process must still have the leave, and send it when the member has
// gone.
func (w *world) mustKeepLeaves() {
	w.t.Helper()
	m := w.mustEnter(1, "another", time.Hour)[0]
	s := w.any()
	w.retire(s)
	s.kill()
	before := w.homeserver.Fate(m.delayID).Restarts
	w.start()
	m.vanish()
	w.awaitSent(waitTime)
	w.t.Logf("restarted %d times before", before)
}

// TestLockedFile checks a second process that starts with the file of a running
// process. The second process must wait at least 14 s, and then end with an
// error that names the file.
func TestLockedFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.mustEnter(3, "call", time.Hour)
	second := w.launch()
	began := time.Now()
	for !second.ended() && time.Since(began) < waitTime {
		during(100*time.Millisecond, 50*time.Millisecond, func() { w.mustAnswer("call") })
	}
	if !second.ended() || second.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(second.text(), w.file()) {
		t.Errorf("a second process on one file, after %v: got %v, want exit code 1 and the file named; it says:\n%s", time.Since(began), second.cmd.ProcessState, second.text())
	}
	if waited := time.Since(began); waited < 14*time.Second {
		t.Errorf("a second process on one file: got it ended after %v, want at least 14 s", waited)
	}
	w.mustHold()
}

// TestReplaced checks a process that starts while its predecessor still uses
// the file, as in an update. The new process must take over when its
// predecessor ends.
func TestReplaced(t *testing.T) {
	t.Parallel()
	const delay = 18 * time.Second
	w := newWorld(t)
	first := w.start()
	members := w.mustEnter(10, "call", delay)
	second := w.launch()
	w.hold(2 * time.Second)
	w.retire(first)
	first.stop(t)
	second.awaitListening(t)
	w.serve(second)
	w.hold(delay + time.Second)
	members[0].leave(broke)
	w.awaitSent(waitTime)
}
