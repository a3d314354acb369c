package config

import (
	"strings"

	"matrixrtc-auth/internal/spelling"
)

// quotationMarks warns of what a Compose list makes of - NAME="value".
func (j *judge) quotationMarks() {
	for _, row := range table {
		v := j.variable(row.Name)
		text := v.get()
		if len(text) > 1 && strings.ContainsAny(text[:1], `"'`) && text[0] == text[len(text)-1] {
			j.warn(v, Quoted, "the quotation marks around it are taken as part of the value; remove them")
		}
	}
}

// typingErrors is how many a name may hold and still be clear.
const typingErrors = 2

// nearestName returns the variable that is the fewest typing errors away, and
// how many those are.
func nearestName(name string) (nearest string, errors int) {
	names := make([]string, len(table))
	for i, v := range table {
		names[i] = v.Name
	}
	return spelling.Nearest(name, names)
}
