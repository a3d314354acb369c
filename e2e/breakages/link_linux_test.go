package breakages

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// linkCommand returns the command test-link with the service's environment. When the
// command runs, faults gets what it writes to the standard error.
func (w *world) linkCommand(ctx context.Context, d deployment, args ...string) (cmd *exec.Cmd, faults *strings.Builder) {
	cmd = exec.CommandContext(ctx, w.programs.Service, append([]string{"test-link", "--json"}, args...)...)
	cmd.Env = environment(d.service)
	faults = &strings.Builder{}
	cmd.Stderr = faults
	return cmd, faults
}

// testLink makes a link to the connection test with the command test-link.
func (w *world) testLink(t *testing.T, d deployment) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), looking)
	defer cancel()
	cmd, faults := w.linkCommand(ctx, d)
	out, err := cmd.Output()
	var link struct{ URL string }
	if err != nil || json.Unmarshal(out, &link) != nil {
		t.Fatalf("test-link: got %v\n%s%s\nwant a link", err, out, faults)
	}
	return link.URL
}

// event is an event that test-link --watch prints.
type event struct {
	Name, What, Verdict, Says, Way string
	Loss                           string `json:"loss_percent"`
}

// watchedLink makes a link with test-link --watch, and returns the events that the
// command prints. At the end of the test, watchedLink stops the command with Ctrl-C.
func (w *world) watchedLink(t *testing.T, d deployment) (link string, told <-chan event) {
	t.Helper()
	cmd, faults := w.linkCommand(context.WithoutCancel(t.Context()), d, "--watch")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	var made struct{ URL string }
	if err := lines.Decode(&made); err != nil {
		_ = cmd.Wait() // the text in faults says why
		t.Fatalf("test-link --watch: got %v\n%s\nwant a link", err, faults)
	}
	events := make(chan event, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e := (event{}); lines.Decode(&e) == nil; e = (event{}) {
			events <- e
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // the error of a command that has already ended does not matter
		<-ended
		if err := cmd.Wait(); err != nil || faults.Len() > 0 {
			t.Errorf("test-link --watch, after Ctrl-C: got %v, %q, want no error", err, faults)
		}
	})
	return made.URL, events
}

// hear waits until test-link prints the verdict of a connection test, and compares the
// verdict with the one on the page.
func hear(t *testing.T, told <-chan event, o outcome) {
	t.Helper()
	var all []event
	for late := time.After(looking); ; {
		select {
		case e := <-told:
			all = append(all, e)
			if e.What != "verdict" {
				continue
			}
			came := all[0]
			if came.What != "came" || came.Name != e.Name || !strings.HasPrefix(e.Name, "tester-") ||
				e.Verdict != o.Verdict || e.Says+"." != o.Says || e.Way == "" || e.Loss == "" {
				t.Errorf("test-link --watch says %+v, want one who came and found %s, %q", all, o.Verdict, o.Says)
			}
			return
		case <-late:
			t.Errorf("test-link --watch: got %+v, want the verdict %s", all, o.Verdict)
			return
		}
	}
}
