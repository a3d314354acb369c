package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dependencyRuns is how many times the method [lab.probe] starts each program that
// it builds.
const dependencyRuns = 9

// probe holds the cost of one small program: its size, its memory and its time
// to start.
type probe struct {
	name  string
	size  bytesOf
	rss   bytesOf
	init  time.Duration // how long the initializers of all its packages take
	ready time.Duration // the time from exec until the program listens
}

// dependencies measures the cost of each package that the service imports from
// other modules. For each package it builds a program that serves HTTP and
// imports only that package.
func (l *lab) dependencies(ctx context.Context) (string, error) {
	imports, err := l.thirdParty(ctx)
	if err != nil {
		return "", err
	}
	probes := []*probe{}
	for _, program := range dependencyPrograms(imports) {
		p, err := l.probe(ctx, program)
		if err != nil {
			return "", err
		}
		l.say("%s: %v, init %v", p.name, p.rss, p.init)
		probes = append(probes, p)
	}
	return dependencySection(probes), nil
}

// dependencyProgram is a program to build: its name in the table, and the
// packages that it imports.
type dependencyProgram struct {
	name    string
	imports []string
}

func dependencyPrograms(imports []string) []dependencyProgram {
	programs := []dependencyProgram{{name: "`net/http` alone"}}
	for _, path := range imports {
		programs = append(programs, dependencyProgram{"`" + path + "`", []string{path}})
	}
	return append(programs, dependencyProgram{"all of these", imports})
}

// thirdParty returns the packages that the service imports from other modules.
func (l *lab) thirdParty(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f", `{{with .Module}}{{if .Main}}{{range $.Imports}}{{println .}}{{end}}{{end}}{{end}}`, ".")
	cmd.Dir = l.root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	return foreignImports(string(out)), nil
}

// foreignImports returns the import paths in list that belong to other modules.
// The first element of such an import path is a host name.
func foreignImports(list string) []string {
	var paths []string
	for path := range strings.FieldsSeq(list) {
		host, _, _ := strings.Cut(path, "/")
		if strings.Contains(host, ".") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// probe builds a program and starts it dependencyRuns times. It returns the
// medians of the measured costs.
func (l *lab) probe(ctx context.Context, program dependencyProgram) (*probe, error) {
	binary := filepath.Join(l.dir, "probe")
	if err := l.buildProbe(ctx, binary, program.imports); err != nil {
		return nil, err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	var runs []probe
	for range dependencyRuns {
		run, err := runProbe(ctx, binary)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return &probe{
		name:  program.name,
		size:  bytesOf(info.Size()),
		rss:   medianOf(runs, func(p probe) bytesOf { return p.rss }),
		init:  medianOf(runs, func(p probe) time.Duration { return p.init }),
		ready: medianOf(runs, func(p probe) time.Duration { return p.ready }),
	}, nil
}

const probeMain = `package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
%s)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(l, nil)
	fmt.Println(l.Addr())
	os.Stdin.Read(make([]byte, 1))
}
`

// buildProbe compiles the source code probeMain inside the service's module. So
// the probe uses the same versions of other modules as the service. A build
// overlay keeps the probe's source out of the checkout.
func (l *lab) buildProbe(ctx context.Context, binary string, imports []string) error {
	var blank strings.Builder
	for _, path := range imports {
		fmt.Fprintf(&blank, "\t_ %q\n", path)
	}
	source := filepath.Join(l.dir, "probe.go")
	overlay := filepath.Join(l.dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(l.root, "internal", "probe", "main.go"): source},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(source, fmt.Appendf(nil, probeMain, blank.String()), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return err
	}
	return l.build(ctx, binary, "-overlay", overlay, "./internal/probe")
}

// runProbe starts a built probe once. The probe prints its address when it
// listens, and ends when its standard input is closed.
func runProbe(ctx context.Context, binary string) (probe, error) {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	var trace strings.Builder
	cmd.Stderr = &trace
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return probe{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return probe{}, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return probe{}, err
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return probe{}, err
	}
	p := probe{ready: time.Since(start)}
	m, err := memoryOf(cmd.Process.Pid)
	if err != nil {
		return probe{}, err
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		return probe{}, err
	}
	p.rss = m.RSS
	p.init, err = parseInitTrace(trace.String())
	return p, err
}

// parseInitTrace sums the times in the lines "init pkg @1.2 ms, 0.03 ms clock,
// …" of GODEBUG=inittrace=1.
func parseInitTrace(trace string) (time.Duration, error) {
	var total float64
	for line := range strings.Lines(trace) {
		if !strings.HasPrefix(line, "init ") {
			continue
		}
		fields := strings.Split(line, ", ")
		if len(fields) < 2 {
			return 0, fmt.Errorf("%q is not a line in the form of GODEBUG=inittrace=1", line)
		}
		clock, err := strconv.ParseFloat(strings.TrimSuffix(fields[1], " ms clock"), 64)
		if err != nil {
			return 0, err
		}
		total += clock
	}
	return time.Duration(total * float64(time.Millisecond)), nil
}

func dependencySection(probes []*probe) string {
	bare := probes[0]
	rows := [][]string{{"imported package", "size of the binary", "idle RSS", "RSS more than `net/http` alone", "ms of the initialisers", "ms from exec to listening"}}
	for _, p := range probes {
		rows = append(rows, []string{p.name, p.size.String(), p.rss.String(), max(0, p.rss-bare.rss).String(), ms(p.init), ms(p.ready)})
	}
	return "### What the dependencies cost\n\nWhat each imported package adds to a program. For each row a small program serves `net/http`, and imports only that package. The program calls no function of the package. What the calls cost is part of the service's numbers in the tables above. Packages share code, so the last row is less than the sum of the others. RSS is the resident memory. The initialisers are what the packages run at the start.\n\n" + table(rows...)
}
