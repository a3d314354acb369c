package breakages

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"matrixrtc-auth/e2e/stack"
)

// TestMain starts this program again for each deployment. Each new process has its own
// namespaces.
func TestMain(m *testing.M) {
	flag.Parse()
	if *dir != "" {
		os.Exit(inside(m))
	}
	if err := spread(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "breakages:", err)
		os.Exit(1)
	}
}

// This function runs the tests of one deployment. It runs in a process that has its own
// namespaces.
func inside(m *testing.M) int {
	own := filepath.Join(*dir, fmt.Sprint(*shard))
	err := os.MkdirAll(own, 0o755)
	if err == nil {
		err = isolate(own)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "breakages: this system does not let a test make its own network:", err)
		return 1
	}
	if err := choose(); err != nil {
		fmt.Fprintln(os.Stderr, "breakages:", err)
		return 1
	}
	return m.Run()
}

// choose selects the tests of doctor. With -connection, it selects the tests of the
// connection test, which need a browser.
func choose() error {
	if *connected {
		return flag.Set("test.skip", "^Test(Breakages|TakenOver)$")
	}
	return flag.Set("test.skip", "^TestConnection")
}

// spread builds the programs, and starts the processes for the deployments at the same
// time. At the end it compares doctor's results with the documentation.
func spread(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("creating a network and a mount namespace needs root: run the tests as root")
	}
	shared, err := os.MkdirTemp("", "breakages")
	if err != nil {
		return err
	}
	defer os.RemoveAll(shared)
	if _, err := stack.Build(ctx, shared); err != nil {
		return err
	}
	if *connected {
		*shards = 1
	}
	runs := make([]*exec.Cmd, *shards)
	for i := range runs {
		runs[i] = again(ctx, shared, i)
		if err := runs[i].Start(); err != nil {
			return fmt.Errorf("this system does not let a test have a network and a mount namespace of its own: %w", err)
		}
	}
	var faults []error
	for _, run := range runs {
		faults = append(faults, run.Wait())
	}
	if err := errors.Join(faults...); err != nil || *connected {
		return err
	}
	return document(shared)
}

// This function returns the command that runs this program again with the same
// arguments, for the deployment with the number i.
func again(ctx context.Context, shared string, i int) *exec.Cmd {
	args := append(slices.Clone(os.Args[1:]), "-dir", shared, "-shard", fmt.Sprint(i))
	run := exec.CommandContext(ctx, "/proc/self/exe", args...)
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	run.SysProcAttr = namespaces()
	return run
}

// document compares doctor's results with the documentation. With -write, it writes
// them into the documentation.
func document(shared string) error {
	rows := map[string]said{}
	for i := range *shards {
		text, err := os.ReadFile(filepath.Join(shared, fmt.Sprintf("said-%d.json", i)))
		if err != nil {
			return err
		}
		var part []said
		if err := json.Unmarshal(text, &part); err != nil {
			return err
		}
		for _, s := range part {
			rows[s.What] = s
		}
	}
	page, err := describe(rows)
	if err != nil {
		return err
	}
	const path = "../../doctor/causes/breakages.md"
	if *write {
		return os.WriteFile(path, []byte(page), 0o644)
	}
	if written, err := os.ReadFile(path); err != nil || string(written) != page {
		return fmt.Errorf("doctor/causes/breakages.md is not what doctor says (%v): make breakages BREAKAGESFLAGS=-write writes it", err)
	}
	return nil
}

// findPrograms returns the paths of the programs that the first process built, and of
// the installed programs.
func findPrograms(ctx context.Context, shared string) (programs, error) {
	built, err := stack.Build(ctx, shared)
	if err != nil {
		return programs{}, err
	}
	if *program != "" {
		built.Service = *program
	}
	tools, err := stack.FindServers(ctx)
	return programs{built, tools}, err
}
