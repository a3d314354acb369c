// Package setup writes a deployment into a folder: what Docker needs, what the
// homeserver needs, and what to enter in the router and the reverse proxy.
//
// Its templates are the repository's own compose.yaml, livekit.yaml.example and
// .env.example, which the caller passes. A second run changes what it wrote
// itself and nobody else has changed since; see [folder] and [sums].
package setup

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
)

// Streams are what setup reads and writes. It asks for what flags leave open
// when Terminal says that a person is at In, and never otherwise.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer // the result; questions, notes and faults
	Terminal bool
}

// The exit codes.
const (
	exitOK     = 0 // everything is written, or kept as it was
	exitFaults = 1 // what is in the folder, or the machine, does not allow it
	exitUsage  = 2 // flags are wrong or missing, nobody answered, there is no folder, or Out takes no output
)

// Run is `matrixrtc-auth setup` with args behind that word. It returns the
// exit code. templates holds compose.yaml, livekit.yaml.example and
// .env.example.
func Run(ctx context.Context, args []string, s Streams, templates fs.FS) int {
	out := &output{to: s.Out}
	s.Out = out
	code := run(ctx, args, s, templates)
	if out.err != nil && code == exitOK {
		printFaults(s.Err, fmt.Errorf("the output cannot be written: %s", cause(out.err)))
		return exitUsage
	}
	return code
}

// output remembers the first error of a writer, and writes nothing after it.
type output struct {
	to  io.Writer
	err error
}

func (o *output) Write(p []byte) (n int, err error) {
	if o.err == nil {
		n, o.err = o.to.Write(p)
	}
	return n, o.err
}

func run(ctx context.Context, args []string, s Streams, templates fs.FS) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(s.Out)
		return exitOK
	case err != nil:
		return usageFault(s.Err, err)
	}
	if s.Terminal {
		if err := checkGiven(o); err != nil {
			return usageFault(s.Err, err)
		}
		if err := ask(ctx, &o, s.In, s.Err); err != nil {
			return usageFault(s.Err, err)
		}
	}
	p, err := newPlan(o)
	if err != nil {
		return usageFault(s.Err, err)
	}
	for _, note := range p.notes {
		fmt.Fprintln(s.Err, "note:", note)
	}
	dir, err := openFolder(p.Dir)
	if err != nil {
		return usageFault(s.Err, err)
	}
	defer dir.close()
	if err := deploy(p, dir, s.Out, templates); err != nil {
		printFaults(s.Err, err)
		return exitFaults
	}
	return exitOK
}

func usageFault(w io.Writer, err error) int {
	printFaults(w, err)
	fmt.Fprintln(w, "matrixrtc-auth setup --help lists the flags.")
	return exitUsage
}

// printFaults prints an error, a joined one line by line.
func printFaults(w io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, fault := range joined.Unwrap() {
			printFaults(w, fault)
		}
		return
	}
	fmt.Fprintln(w, "matrixrtc-auth setup:", err)
}

// deploy writes the files. It touches nothing before it knows what to do with
// every one of them.
func deploy(p plan, dir *folder, out io.Writer, templates fs.FS) (err error) {
	p.key, err = choosePair(dir, p.newSecrets)
	if err != nil {
		return err
	}
	if p.registration, err = p.chooseRegistration(dir); err != nil {
		return err
	}
	if p.templateImage, err = imageOf(templates); err != nil {
		return err
	}
	files, err := p.files(templates)
	if err != nil {
		return err
	}
	u, err := newUpdate(dir, files, p.force)
	if err != nil {
		return err
	}
	if err := u.apply(); err != nil {
		return err
	}
	u.report(out)
	p.nextSteps(out, u)
	return nil
}
