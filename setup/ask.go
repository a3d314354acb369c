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

// attempts is how often a question is asked before setup gives up.
const attempts = 5

// longestAnswer bounds a line of input, in bytes.
const longestAnswer = 4096

// dialogue asks a person for what flags leave open.
type dialogue struct {
	ctx   context.Context
	lines chan string // closed at the end of the input
	out   io.Writer
}

// ask fills in what o lacks, with questions on out and answers from in.
func ask(ctx context.Context, o *options, in io.Reader, out io.Writer) error {
	d := &dialogue{ctx: ctx, lines: make(chan string), out: out}
	go d.read(in)
	steps := []func(*options) error{d.names, d.homeserver, d.relay, d.folder, d.image}
	for _, step := range steps {
		if err := step(o); err != nil {
			return err
		}
	}
	return nil
}

// read passes lines on. It ends with the input or the dialogue's context, or
// else stays in Read for as long as the process lives.
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
	if err := d.text(&o.serverName, "Server name (example.org in @alice:example.org)", "", wellFormed(parseServerName)); err != nil {
		return err
	}
	if o.singleHost != "" || o.jwtHost != "" && o.sfuHost != "" {
		return nil
	}
	parent := parentOf(o.serverName)
	if o.jwtHost == "" && o.sfuHost == "" {
		single, err := d.confirm("One host name with path prefixes, instead of two names? Not behind DSM's proxy")
		if err != nil {
			return err
		}
		if single {
			return d.text(&o.singleHost, "Name of that host", "matrix."+parent, wellFormed(parseHost))
		}
	}
	if err := d.text(&o.jwtHost, "Name of this service", "jwt."+parent, o.besides("jwt-host")); err != nil {
		return err
	}
	return d.text(&o.sfuHost, "Name of LiveKit", "sfu."+parent, o.besides("sfu-host"))
}

// besides checks a name for the flag next to the names that are there already.
func (o *options) besides(flag string) func(string) error {
	server, _ := parseServerName(o.serverName) // it was checked
	return func(text string) error {
		host, err := parseHost(text)
		switch {
		case err != nil:
			return err
		case host == strings.ToLower(o.jwtHost):
			return fmt.Errorf("%s is the name of this service, too", host)
		case host == strings.ToLower(o.sfuHost):
			return fmt.Errorf("%s is the name of LiveKit, too", host)
		}
		return notTheServer(server, flag, host)
	}
}

func (d *dialogue) homeserver(o *options) error {
	preset := presetBaseURL(o.serverName, o.singleHost)
	if err := d.text(&o.baseURL, "Where clients reach the homeserver", preset, wellFormed(parseBaseURL)); err != nil {
		return err
	}
	const question = "Where the container reaches it, like http://host.docker.internal:8008\n(nothing: under its public name)"
	return d.text(&o.homeserverURL, question, "", func(text string) error {
		if text == "" {
			return nil
		}
		_, err := parseHomeserverURL(text)
		return err
	})
}

func (d *dialogue) relay(o *options) (err error) {
	if !o.turnGiven && o.turnTLS == "" {
		o.turn, err = d.confirm("TURN over UDP, for strict networks (forward port 3478)?")
	}
	return err
}

func (d *dialogue) folder(o *options) error {
	return d.text(&o.dir, "Folder to write into", "matrixrtc", func(text string) error {
		if info, err := os.Stat(text); err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a folder", text)
		}
		return nil
	})
}

// image asks for the processor where an image can be made.
func (d *dialogue) image(o *options) error {
	if o.image != "" || o.source != "" || !canMakeImages() {
		return nil
	}
	const question = "Processor of the machine that it will run on, to make the image for: amd64 (most PCs and NAS),\narm64 or armv7. There, uname -m says x86_64, aarch64 or armv7l. (nothing: make it later)"
	return d.text(&o.imageArch, question, "", func(text string) error {
		if text == "" {
			return nil
		}
		_, err := parseProcessor(text)
		return err
	})
}

// text asks until the answer is valid. A target that has a value is not asked
// for; no answer means preset.
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
	return errors.New("no answer that can be used")
}

// confirm asks a question whose answer is no unless somebody says yes.
func (d *dialogue) confirm(question string) (bool, error) {
	for range attempts {
		answer, err := d.line(question + " [y/N]: ")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "y", "yes":
			return true, nil
		case "", "n", "no":
			return false, nil
		}
		fmt.Fprintln(d.out, "  answer y or n")
	}
	return false, errors.New("no answer that can be used")
}

// line prints the question and returns the answer without spaces around it.
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

// wellFormed makes a check of a parser.
func wellFormed[T any](parse func(string) (T, error)) func(string) error {
	return func(text string) error {
		_, err := parse(text)
		return err
	}
}
