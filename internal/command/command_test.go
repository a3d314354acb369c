package command_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/command/commandtest"
)

// greet returns a command with options of several kinds, which prints a greeting.
func greet() *cobra.Command {
	var name string
	var twice bool
	var flags command.Flags
	who := flags.Group("Who")
	who.Text(&name, "name", "NAME", "whom to greet: a friend, somebody who lives in the same house, or whoever else is there")
	how := flags.Group("How")
	how.Switch(&twice, "twice", "greet them twice")
	how.Parse("a-rather-long-option", "VALUE", "refuses everything", func(string) error { return errors.New("the value is wrong") })
	return command.New(command.Spec{Name: "greet", Short: "greet somebody", Flags: &flags, Run: func(c *cobra.Command, _ []string) error {
		switch name {
		case "":
			return errors.Join(errors.New("--name is missing"), errors.New("--name is like Alice"))
		case "nobody":
			return command.Failed
		}
		c.Println("hello", name)
		return nil
	}})
}

func TestRun(t *testing.T) {
	for name, test := range map[string]struct {
		args   string
		code   int
		out    string
		faults string
	}{
		"right":         {"--name Alice --twice", 0, "hello Alice", ""},
		"failed":        {"--name nobody", 1, "", ""},
		"two faults":    {"", 2, "", "matrixrtc-auth greet: --name is missing\nmatrixrtc-auth greet: --name is like Alice\nSee matrixrtc-auth greet --help.\n"},
		"no such":       {"--nmae Alice", 2, "", "matrixrtc-auth greet: there is no option --nmae; did you mean --name?\nSee matrixrtc-auth greet --help.\n"},
		"far from any":  {"--volume 11", 2, "", "matrixrtc-auth greet: there is no option --volume\nSee matrixrtc-auth greet --help.\n"},
		"one dash":      {"-twice", 2, "", "matrixrtc-auth greet: there is no option -twice; did you mean --twice?\nSee matrixrtc-auth greet --help.\n"},
		"no value":      {"--name", 2, "", "matrixrtc-auth greet: --name needs a value\nSee matrixrtc-auth greet --help.\n"},
		"a wrong value": {"--a-rather-long-option s3cret", 2, "", "matrixrtc-auth greet: --a-rather-long-option: the value is wrong\nSee matrixrtc-auth greet --help.\n"},
		"a word more":   {"Alice", 2, "", "matrixrtc-auth greet: \"Alice\" is not an option: write the option's name before its value\nSee matrixrtc-auth greet --help.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, faults bytes.Buffer
			code := commandtest.Run(t.Context(), greet(), strings.Fields(test.args), nil, &out, &faults)
			if code != test.code || strings.TrimSpace(out.String()) != test.out || faults.String() != test.faults {
				t.Errorf("greet %s: %d %q %q, want %d %q %q", test.args, code, out.String(), faults.String(), test.code, test.out, test.faults)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	const want = `Usage: matrixrtc-auth greet [options]

Greet somebody.

Who:
  --name NAME             whom to greet: a friend, somebody who lives in the
                          same house, or whoever else is there

How:
  --twice                 greet them twice
  --a-rather-long-option VALUE
                          refuses everything
`
	var out bytes.Buffer
	if code := commandtest.Run(t.Context(), greet(), []string{"--help"}, nil, &out, &out); code != 0 || out.String() != want {
		t.Errorf("exit code %d\n%s, want 0\n%s", code, out.String(), want)
	}
}

// full is a writer on which every write fails, like a file on a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestHelpIsLost(t *testing.T) {
	var faults bytes.Buffer
	code := commandtest.Run(context.Background(), greet(), []string{"--help"}, nil, full{}, &faults)
	if want := "matrixrtc-auth greet: the output cannot be written: no space left\n"; code != 2 || faults.String() != want {
		t.Errorf("exit code %d, %q; want 2, %q", code, faults.String(), want)
	}
}
