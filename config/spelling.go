package config

import (
	"strings"

	"matrixrtc-auth/internal/spelling"
)

// quotationMarks warns of quotation marks that Compose keeps in a list entry
// like - NAME="value".
func (j *judge) quotationMarks() {
	for _, row := range table {
		v := j.variable(row.Name)
		text := v.get()
		if len(text) > 1 && strings.ContainsAny(text[:1], `"'`) && text[0] == text[len(text)-1] {
			j.warn(v, Quoted, "the quotation marks around the value count as part of it; remove them")
		}
	}
}

// typingErrors is how many errors a name may have and still be recognized.
const typingErrors = 2

// nearestName returns the variable with the fewest typing errors to name, and
// how many those are.
func nearestName(name string) (nearest string, errors int) {
	names := make([]string, len(table))
	for i, v := range table {
		names[i] = v.Name
	}
	return spelling.Nearest(name, names)
}
