package config

import "strings"

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
	for _, v := range table {
		if d := distance(name, v.Name); nearest == "" || d < errors {
			nearest, errors = v.Name, d
		}
	}
	return nearest, errors
}

// distance is Levenshtein's: how many letters to insert, remove or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for k := range len(b) {
			replaced := diagonal
			if a[i] != b[k] {
				replaced++
			}
			diagonal = row[k+1]
			row[k+1] = min(replaced, diagonal+1, row[k]+1)
		}
	}
	return row[len(b)]
}
