package command_test

import (
	"bytes"
	"os"
	"testing"

	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/terminaltest"
)

func TestTerminal(t *testing.T) {
	_, terminal := terminaltest.Open(t, 80, 24)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	for name, c := range map[string]struct {
		stream any
		want   bool
	}{
		"a terminal":  {terminal, true},
		os.DevNull:    {null, false},
		"a pipe":      {writer, false},
		"a buffer":    {&bytes.Buffer{}, false},
		"nothing":     {nil, false},
		"no open one": {(*os.File)(nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			f, got := command.Terminal(c.stream)
			if got != c.want || (f == terminal) != c.want {
				t.Errorf("Terminal(%T): got %v, %v, want %v", c.stream, f, got, c.want)
			}
		})
	}
}
