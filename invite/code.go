package invite

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the light frame that a QR code needs, in modules.
const quiet = 4

// code draws text as a QR code of level L, two rows of modules to a line: light
// modules are blocks, so that it can be scanned on a dark terminal. With colour it
// is white on black whatever the terminal is. wide is how many columns it takes.
func code(text string, colour bool) (drawn string, wide int, err error) {
	made, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", 0, err
	}
	return (&modules{made}).draw(colour), made.Size + 2*quiet, nil
}

// modules are those of a code.
type modules struct{ *qr.Code }

// light reports whether a module is, which all outside are.
func (m *modules) light(row, column int) bool {
	return !m.Black(column, row)
}

// halves are what stands for two modules, one below the other.
var halves = map[[2]bool]string{{true, true}: "█", {true, false}: "▀", {false, true}: "▄", {false, false}: " "}

func (m *modules) draw(colour bool) string {
	begin, end := "", "\n"
	if colour {
		begin, end = "\x1b[97;40m", "\x1b[0m\n"
	}
	var b strings.Builder
	for row := -quiet; row < m.Size+quiet; row += 2 {
		b.WriteString(begin)
		for column := -quiet; column < m.Size+quiet; column++ {
			// The frame ends with the first half of the last line.
			below := row+1 < m.Size+quiet && m.light(row+1, column)
			b.WriteString(halves[[2]bool{m.light(row, column), below}])
		}
		b.WriteString(end)
	}
	return b.String()
}
