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

// misspelt warns of variables that nearly have the name of one of ours. Others
// are silent: LiveKit's own tools have many that start alike.
func (j *judge) misspelt() {
	for _, name := range j.input.Others {
		if nearest, ok := nearestName(name); ok && !foreign(name) {
			j.warn(value{name: name}, Misspelt, "not a variable of this program; did you mean %s?", nearest)
		}
	}
}

// foreign reports whether a variable that differs little from one of ours is
// LiveKit's own, one that Kubernetes sets for a Service, or no sane name.
func foreign(name string) bool {
	return name == "LIVEKIT_KEYS" || strings.ContainsFunc(name, invisible) || strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT")
}

// nearestName returns the variable that is at most two typing errors away.
func nearestName(name string) (nearest string, ok bool) {
	best := 3
	for _, v := range table {
		if d := distance(name, v.Name); d < best {
			nearest, best = v.Name, d
		}
	}
	return nearest, nearest != ""
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
