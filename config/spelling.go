package config

import (
	"strings"

	"matrixrtc-auth/internal/spelling"
)

// quotationMarks warns of quotation marks in a value. Compose keeps them in a
// list entry like - NAME="value".
func (j *judge) quotationMarks() {
	for _, row := range table {
		v := j.variable(row.Name)
		text := v.get()
		if len(text) > 1 && strings.ContainsAny(text[:1], `"'`) && text[0] == text[len(text)-1] {
			j.warn(v, Quoted, "the quotation marks around the value are part of the value; remove them")
		}
	}
}

// typingErrors is the largest number of typing errors with which a name is
// still recognized.
const typingErrors = 2

// nearestName returns the variable of this program whose name is most like
// name, and how many typing errors lie between the two.
func nearestName(name string) (nearest string, errors int) {
	names := make([]string, len(table))
	for i, v := range table {
		names[i] = v.Name
	}
	return spelling.Nearest(name, names)
}
