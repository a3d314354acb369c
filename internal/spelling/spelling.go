// Package spelling finds what somebody may have meant who mistyped a name.
package spelling

// Nearest returns the name that is the fewest typing errors away from text, and
// how many those are. Of no names it returns "".
func Nearest(text string, names []string) (nearest string, errors int) {
	for _, name := range names {
		if d := distance(text, name); nearest == "" || d < errors {
			nearest, errors = name, d
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
