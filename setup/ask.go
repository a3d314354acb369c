package setup

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// attempts is how often setup asks a question before it gives up.
const attempts = 5

var errNoAnswer = errors.New("none of the answers was valid")

// longestAnswer is the largest number of bytes that a line of input may have.
const longestAnswer = 4096

// dialogue asks a person for the options that are not known yet.
type dialogue struct {
	ctx   context.Context
	lines chan string // the lines of the input; closed at the end of the input
	out   io.Writer
}

// newDialogue returns a dialogue that writes questions to out and reads answers
// from in.
func newDialogue(ctx context.Context, in io.Reader, out io.Writer) *dialogue {
	d := &dialogue{ctx: ctx, lines: make(chan string), out: out}
	go d.read(in)
	return d
}

// askFor asks a person for the options that are not known. d is nil if there is
// nobody to ask.
func (o *options) askFor(d *dialogue) error {
	switch {
	case d == nil:
		return nil
	case !o.memory.there:
		return d.inTurn(o, d.names, d.homeserver, d.relay, d.image)
	case o.saysAnything():
		return d.inTurn(o, d.names, d.lost)
	}
	return d.inTurn(o, d.names, d.lost, d.change)
}

func (d *dialogue) inTurn(o *options, steps ...func(*options) error) error {
	for _, step := range steps {
		if err := step(o); err != nil {
			return err
		}
	}
	return nil
}

// read sends the lines of in to the dialogue, until the input or the dialogue's
// context ends. If in.Read blocks, the goroutine of read lives until the
// process ends.
func (d *dialogue) read(in io.Reader) {
	defer close(d.lines)
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, longestAnswer)
	for scanner.Scan() {
		select {
		case d.lines <- scanner.Text():
		case <-d.ctx.Done():
			return
		}
	}
}

func (d *dialogue) names(o *options) error {
	if err := d.ask(o, "server-name", ""); err != nil {
		return err
	}
	if o.singleHost != "" || o.jwtHost != "" && o.sfuHost != "" {
		return nil
	}
	parent := parentOf(o.serverName)
	if o.jwtHost == "" && o.sfuHost == "" {
		single, err := d.confirm("One host name with path prefixes, instead of two names? Not behind DSM's proxy", false)
		if err != nil {
			return err
		}
		if single {
			return d.ask(o, "single-host", "matrix."+parent)
		}
	}
	if err := d.ask(o, "jwt-host", "jwt."+parent); err != nil {
		return err
	}
	return d.ask(o, "sfu-host", "sfu."+parent)
}

func (d *dialogue) homeserver(o *options) error {
	if err := d.ask(o, "base-url", presetBaseURL(o.serverName, o.singleHost)); err != nil {
		return err
	}
	return d.ask(o, "homeserver-url", "")
}

func (d *dialogue) relay(o *options) (err error) {
	if !o.given["turn"] && o.turnTLS == "" {
		o.turn, err = d.confirm(questions["turn"].text, false)
	}
	return err
}

func (d *dialogue) folder(o *options) error {
	return d.text(&o.dir, "Folder of the deployment", "matrixrtc", func(text string) error {
		if info, err := os.Stat(text); err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a folder", text)
		}
		return nil
	})
}

// image asks for the processor for which setup makes the image. It asks only if
// this machine can make images.
func (d *dialogue) image(o *options) error {
	if o.image != "" || o.source != "" || !canMakeImages() {
		return nil
	}
	return d.ask(o, "image-arch", "")
}

// text asks until the answer is valid, and stores it in target. If target
// already has a value, text does not ask. An empty answer means preset.
func (d *dialogue) text(target *string, question, preset string, valid func(string) error) error {
	if *target != "" {
		return nil
	}
	if preset != "" {
		question += " [" + preset + "]"
	}
	for range attempts {
		answer, err := d.line(question + ": ")
		if err != nil {
			return err
		}
		answer = cmp.Or(answer, preset)
		fault := valid(answer)
		if fault == nil {
			*target = answer
			return nil
		}
		fmt.Fprintf(d.out, "  %v\n", fault)
	}
	return errNoAnswer
}

// confirm asks a yes-or-no question, and returns the answer. An empty answer
// means preset.
func (d *dialogue) confirm(question string, preset bool) (bool, error) {
	hint := " [y/N]: "
	if preset {
		hint = " [Y/n]: "
	}
	for range attempts {
		answer, err := d.line(question + hint)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		case "":
			return preset, nil
		}
		fmt.Fprintln(d.out, "  answer y or n")
	}
	return false, errNoAnswer
}

// line prints the question, and returns the answer without spaces around it.
func (d *dialogue) line(question string) (string, error) {
	fmt.Fprint(d.out, question)
	select {
	case line, ok := <-d.lines:
		if !ok {
			fmt.Fprintln(d.out)
			return "", errors.New("the input ended before every question was answered")
		}
		return strings.TrimSpace(line), nil
	case <-d.ctx.Done():
		fmt.Fprintln(d.out)
		return "", errors.New("interrupted; nothing was written")
	}
}
