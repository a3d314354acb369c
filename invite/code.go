package invite

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the light border that a QR code needs, in modules (the
// squares of the code).
const quiet = 4

// code draws text as a QR code of level L. Each line of the drawing has two
// rows of modules, the squares of the code. Light modules are drawn as blocks,
// so that a phone can scan the code from a dark terminal. With colour the code
// is black on white on every terminal. wide is the width of the drawing in
// columns.
func code(text string, colour bool) (drawn string, wide int, err error) {
	made, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", 0, err
	}
	return (&modules{made}).draw(colour), made.Size + 2*quiet, nil
}

// modules are the squares of a QR code.
type modules struct{ *qr.Code }

// light reports whether a module is light. All modules outside the code are light.
func (m *modules) light(row, column int) bool {
	return !m.Black(column, row)
}

// halves has the character that draws two squares (modules) of a QR code, one above
// the other. The key says whether the upper module is light, and whether the lower
// one is.
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
			// The number of rows is odd, so the last line has only an upper row.
			below := row+1 < m.Size+quiet && m.light(row+1, column)
			b.WriteString(halves[[2]bool{m.light(row, column), below}])
		}
		b.WriteString(end)
	}
	return b.String()
}
