// Package setup writes a deployment into a folder: files for Docker and for the
// homeserver, and pages that say what to enter in the router and the reverse
// proxy.
//
// The templates are the repository's own compose.yaml, livekit.yaml.example and
// .env.example, which the caller passes. A later run changes only text that
// setup wrote and that nobody has changed since; see [folder] and [sums].
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/smallfile"
)

// streams are setup's input and outputs. Terminal says whether In is a
// terminal. If it is not, setup asks no questions.
type streams struct {
	In       io.Reader
	Out, Err io.Writer // Out gets the result, like what happened to each file; Err gets questions, notes and faults
	Terminal bool
}

// Command returns the command `matrixrtc-auth setup`. templates holds
// compose.yaml, livekit.yaml.example and .env.example. The exit codes are:
//
//   - 0 if every file is written or already up to date, or if setup only showed
//     the folder's answers
//   - 1 if the folder's content or the machine prevents the writing
//   - 2 if a flag is wrong or missing, if nobody answered a question, if the
//     folder cannot be made, or if the output failed
func Command(templates fs.FS) *cobra.Command {
	o := presets()
	return o.command(templates, isTerminal)
}

func isTerminal(r io.Reader) bool {
	_, ok := command.Terminal(r)
	return ok
}

// command returns the command with the options o. terminal reports whether an
// input is a terminal.
func (o *options) command(templates fs.FS, terminal func(io.Reader) bool) *cobra.Command {
	return command.New(command.Spec{
		Name: "setup", Short: "write a deployment into a folder", About: about, Flags: o.flags(),
		Run: func(c *cobra.Command, _ []string) error {
			c.Flags().Visit(func(f *pflag.Flag) { o.given[f.Name] = true })
			s := streams{In: c.InOrStdin(), Out: c.OutOrStdout(), Err: c.ErrOrStderr(), Terminal: terminal(c.InOrStdin())}
			return o.deploy(c.Context(), s, templates)
		},
	})
}

// deploy runs the command. The fields of o already have the values of the
// command line's flags.
func (o *options) deploy(ctx context.Context, s streams, templates fs.FS) error {
	out := &output{to: s.Out}
	s.Out = out
	err := o.run(ctx, s, templates)
	if out.err != nil && err == nil {
		printFaults(s.Err, fmt.Errorf("the output cannot be written: %s", smallfile.Cause(out.err)))
		return command.Misused
	}
	return err
}

// output is a writer that remembers the first error, and writes nothing after
// it.
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

// run asks for what is missing and writes the deployment. An error that is not
// a [command.Code] is about a flag.
func (o *options) run(ctx context.Context, s streams, templates fs.FS) error {
	o.switchOff()
	var d *dialogue
	if s.Terminal && !o.yes {
		if err := checkGiven(*o); err != nil {
			return err
		}
		d = newDialogue(ctx, s.In, s.Err)
		if err := d.folder(o); err != nil {
			return err
		}
	}
	if err := o.remember(); err != nil {
		printFaults(s.Err, err)
		return command.Failed
	}
	if err := o.takeOver(d); err != nil {
		return err
	}
	for _, note := range o.memory.notes() {
		fmt.Fprintln(s.Err, "note:", note)
	}
	if d == nil && o.memory.there && !o.saysAnything() {
		o.tell(s.Out)
		return nil
	}
	if err := o.askFor(d); err != nil {
		return err
	}
	return o.write(ctx, s, d, templates)
}

// remember reads the answers in the folder, and uses them for the options that
// this run does not set.
func (o *options) remember() error {
	root, err := os.OpenRoot(o.dir)
	switch {
	case o.dir == "" || errors.Is(err, fs.ErrNotExist):
		return nil // there is no folder yet
	case err != nil:
		return fmt.Errorf("the folder %s cannot be read: %s", o.dir, smallfile.Cause(err))
	}
	dir := &folder{root}
	defer dir.close()
	if o.memory, err = remember(dir); err != nil {
		return err
	}
	return o.recall(o.memory.answers)
}

// write makes the plan from the answers, and writes the files.
func (o *options) write(ctx context.Context, s streams, d *dialogue, templates fs.FS) error {
	p, err := newPlan(*o)
	if err != nil {
		return err
	}
	p.before = o.before()
	for _, note := range p.notes {
		fmt.Fprintln(s.Err, "note:", note)
	}
	dir, err := openFolder(p.Dir)
	if err != nil {
		return err
	}
	defer dir.close()
	if err := deploy(ctx, p, dir, s, d, templates); err != nil {
		printFaults(s.Err, err)
		return command.Failed
	}
	return nil
}

func printFaults(w io.Writer, err error) { command.PrintFaults(w, command.Program+" setup", err) }

// deploy writes the plan's files. It decides about every file before it changes
// any file.
func deploy(ctx context.Context, p plan, dir *folder, s streams, d *dialogue, templates fs.FS) (err error) {
	p.key, err = choosePair(dir, p.newSecrets, p.over.pair())
	if err != nil {
		return err
	}
	if p.registration, err = p.chooseRegistration(dir); err != nil {
		return err
	}
	if p.takenPage, err = p.over.page(dir); err != nil {
		return err
	}
	if p.mergeEnv, err = p.envMerger(dir, d, templates); err != nil {
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
	if err := u.refuseHalfRenewed(p.newSecrets); err != nil {
		return err
	}
	if err := u.add(file{name: stepsFile, content: taskPage(p.tasks(u, true))}, p.force); err != nil {
		return err
	}
	made, err := newImage(ctx, p, dir, s.Err)
	defer made.forget()
	if err != nil {
		return err
	}
	if err := p.apply(u); err != nil {
		return err
	}
	if err := made.place(); err != nil {
		return err
	}
	u.report(s.Out)
	made.report(s.Out)
	p.over.report(s.Out)
	p.nextSteps(s.Out, u, made)
	return nil
}
