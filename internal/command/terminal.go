package command

import (
	"os"

	"golang.org/x/term"
)

// Terminal checks whether the input or output of a command is a terminal. If it is
// a terminal, Terminal returns it as a file, and true.
func Terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return f, true
}
