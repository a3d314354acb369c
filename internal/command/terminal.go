package command

import (
	"os"

	"golang.org/x/term"
)

// Terminal returns a command's input or output as a file if it is a terminal.
func Terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return f, true
}
