// Package spelling finds the name that a person probably meant when they
// mistyped it.
package spelling

// Nearest returns the name that differs from text by the fewest typing errors,
// and the number of those errors. It returns "" if there are no names.
func Nearest(text string, names []string) (nearest string, errors int) {
	for _, name := range names {
		if d := distance(text, name); nearest == "" || d < errors {
			nearest, errors = name, d
		}
	}
	return nearest, errors
}

// distance returns the Levenshtein distance of a and b: the smallest number of
// letters that must be inserted, removed or replaced to make b from a.
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
