// Package spelling finds the name that a mistyped one probably means.
package spelling

// Nearest returns the name with the fewest typing errors to text, and their
// number. It returns "" if there are no names.
func Nearest(text string, names []string) (nearest string, errors int) {
	for _, name := range names {
		if d := distance(text, name); nearest == "" || d < errors {
			nearest, errors = name, d
		}
	}
	return nearest, errors
}

// distance returns the Levenshtein distance: how many letters to insert, remove
// or replace.
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
