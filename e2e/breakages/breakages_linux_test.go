package breakages

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// breakage is a fault, and the causes that doctor must name for it.
type breakage struct {
	what string // what is broken, in the words of docs/troubleshooting.md
	make func(d *deployment)
	// inside holds the causes that doctor must name when it runs inside the deployment.
	// outside holds the causes that doctor must name from outside. Spaces separate the
	// causes. If doctor must find no fault, the text is "".
	inside, outside string
}

// These are the time limits for the start of a deployment, and for one run of doctor.
// They are long enough for a busy machine.
const (
	starting = 2 * time.Minute
	looking  = time.Minute
)

// TestBreakages checks that doctor names the expected causes for each breakage, and no
// other cause.
func TestBreakages(t *testing.T) {
	w, healthy := begin(t)
	for i, b := range table() {
		if i%*shards != *shard {
			continue
		}
		t.Run(b.what, func(t *testing.T) {
			d := healthy.clone()
			b.make(&d)
			ctx, cancel := context.WithTimeout(t.Context(), starting)
			defer cancel()
			begun := time.Now()
			if err := w.become(ctx, d); err != nil {
				t.Fatalf("the deployment with the fault: got %v, want it running\n%s", err, w.logs())
			}
			t.Logf("up after %s", time.Since(begun).Round(10*time.Millisecond))
			w.judge(ctx, t, d, b)
			t.Logf("done after %s", time.Since(begun).Round(10*time.Millisecond))
		})
	}
	if err := keep(filepath.Join(*dir, fmt.Sprintf("said-%d.json", *shard))); err != nil {
		t.Errorf("keep: got %v, want no error", err)
	}
}

func begin(t *testing.T) (*world, deployment) {
	t.Helper()
	own := filepath.Join(*dir, fmt.Sprint(*shard))
	healthy, err := written(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	return worldIn(t, own), healthy
}

// worldIn returns a new world, which runs deployments. The world keeps its files in the
// given folder.
func worldIn(t *testing.T, own string) *world {
	t.Helper()
	p, err := findPrograms(t.Context(), *dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(own, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	return w
}

// judge runs doctor inside the deployment and from outside at the same time, and checks
// the causes that doctor names.
func (w *world) judge(ctx context.Context, t *testing.T, d deployment, b breakage) {
	var both sync.WaitGroup
	s := said{What: b.what}
	as, err := w.options(ctx, d.user)
	if err != nil {
		t.Fatal(err)
	}
	both.Go(func() {
		s.Inside = w.diagnose(t, "inside", d.service, b.inside, append(as, "--livekit-yaml", filepath.Join(w.host.Dir, "livekit.yaml"))...)
	})
	both.Go(func() {
		env := map[string]string{"SSL_CERT_FILE": filepath.Join(w.host.Dir, "root.pem")}
		s.Outside = w.diagnose(t, "outside", env, b.outside, slices.Concat(as, []string{"--outside", "--server-name", domain}, d.outside)...)
	})
	both.Wait()
	all = append(all, s)
}

// diagnose runs doctor and returns the causes that it names, each with the check that
// found it.
func (w *world) diagnose(t *testing.T, vantage string, env map[string]string, want string, args ...string) (named []cause) {
	ctx, cancel := context.WithTimeout(t.Context(), looking)
	defer cancel()
	report, err := stack.Diagnose(ctx, w.programs.Service, env, args...)
	if err != nil {
		t.Errorf("doctor %s, %q: got %v, want a report", vantage, args, err)
		return nil
	}
	var ids, told []string
	for _, f := range report.Checks {
		if seen := strings.TrimSpace(f.Seen); seen == "" || strings.HasSuffix(seen, ":") || strings.Contains(seen+f.Cause+f.Remedy, "<nil>") {
			t.Errorf("%s: %s: got %q, cause %q, remedy %q; want whole texts", vantage, f.ID, f.Seen, f.Cause, f.Remedy)
		}
		if f.CauseID == "" {
			continue
		}
		ids = append(ids, f.CauseID)
		told = append(told, fmt.Sprintf("%s %s: %s\n    cause %s: %s\n    remedy: %s", f.Status, f.ID, f.Seen, f.CauseID, f.Cause, f.Remedy))
		named = append(named, cause{f.CauseID, f.ID})
	}
	if !slices.Equal(ids, strings.Fields(want)) {
		t.Errorf("%s: doctor names %q, want %q\n%s", vantage, ids, strings.Fields(want), strings.Join(told, "\n"))
	} else {
		t.Logf("%s: %s", vantage, strings.Join(told, "\n"))
	}
	return named
}

// said holds the causes that doctor named for one breakage.
type said struct {
	What            string
	Inside, Outside []cause
}

type cause struct{ ID, Check string }

var all []said

// keep writes the results of this process to a file. The process that started this one
// reads the file.
func keep(path string) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

var (
	dir       = flag.String("dir", "", "where the processes of the test keep their files; for those that it starts itself")
	shard     = flag.Int("shard", 0, "which part of the breakages to make; for the same")
	shards    = flag.Int("shards", 2, "how many deployments break side by side")
	program   = flag.String("program", "", "the file of the service and its doctor; built from this source if empty")
	connected = flag.Bool("connection", false, "test the page of the connection test, in a browser, instead of doctor")
	pictures  = flag.String("pictures", "", "a `directory` for pictures of the page of the connection test")
	write     = flag.Bool("write", false, "write what doctor says into the documentation")
)
