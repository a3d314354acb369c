package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// experiment is one section of the report. run makes the measurements and
// returns the section as Markdown.
type experiment struct {
	name string
	run  func(*lab, context.Context) (string, error)
}

func experiments() []experiment {
	return []experiment{
		{"throughput", (*lab).throughput},
		{"full-access", (*lab).fullAccess},
		{"proxied", (*lab).proxied},
		{"tickets", (*lab).tickets},
		{"half-dead", (*lab).halfDead},
		{"memory", (*lab).memory},
		{"leaves", (*lab).leaves},
		{"start", (*lab).starts},
		{"deps", (*lab).dependencies},
	}
}

func experimentNames() []string {
	var names []string
	for _, e := range experiments() {
		names = append(names, e.name)
	}
	return names
}

func isExperiment(name string) bool {
	for _, e := range experiments() {
		if e.name == name {
			return true
		}
	}
	return false
}

// report runs the experiments and prints their results. If the experiments
// found faults, report returns all faults as one error.
func (l *lab) report(ctx context.Context, stdout io.Writer) error {
	var out strings.Builder
	out.WriteString(machine())
	for _, e := range experiments() {
		if !l.opts.wants(e.name) {
			continue
		}
		section, err := e.run(l, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		out.WriteString("\n" + section)
	}
	fmt.Fprint(stdout, out.String())
	if l.opts.write {
		if err := writeBlock(filepath.Join(l.root, "docs", "performance.md"), out.String()); err != nil {
			return err
		}
	}
	if len(l.faults) > 0 {
		return errors.New("wrong:\n" + strings.Join(l.faults, "\n"))
	}
	return nil
}

func machine() string {
	return fmt.Sprintf("Measured on %s with %d cores (%s/%s), %s.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

const (
	blockBegin = "<!-- bench:begin -->\n"
	blockEnd   = "<!-- bench:end -->\n"
)

// writeBlock replaces the text between the two marker lines of a file.
func writeBlock(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(blockBegin))
	_, after, closed := bytes.Cut(rest, []byte(blockEnd))
	if !ok || !closed {
		return fmt.Errorf("%s does not contain the marker lines %q and %q", file, blockBegin, blockEnd)
	}
	return os.WriteFile(file, fmt.Appendf(nil, "%s%s\n%s\n%s%s", before, blockBegin, text, blockEnd, after), 0o644)
}

// table returns rows of cells as a Markdown table. The first row is the table's
// head. The first column is left-aligned, and all other columns are
// right-aligned.
func table(rows ...[]string) string {
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "| --- |%s\n", strings.Repeat(" ---: |", len(row)-1))
		}
	}
	return b.String()
}

// verdict returns the report's words for a target that is met or not met.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**not met**"
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/1e6) }
func us(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e3) }
