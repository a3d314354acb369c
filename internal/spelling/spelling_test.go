package spelling

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"serve", "setup", "doctor", "version"}
	for _, test := range []struct {
		text, want string
		errors     int
	}{
		{"doctor", "doctor", 0},
		{"docter", "doctor", 1},
		{"doctr", "doctor", 1},
		{"setupp", "setup", 1},
		{"sevre", "serve", 2},
		{"", "serve", 5},
	} {
		t.Run(test.text, func(t *testing.T) {
			if got, errors := Nearest(test.text, names); got != test.want || errors != test.errors {
				t.Errorf("Nearest(%q) = %q, %d; want %q, %d", test.text, got, errors, test.want, test.errors)
			}
		})
	}
	if got, _ := Nearest("doctor", nil); got != "" {
		t.Errorf("Nearest of no names = %q, want none", got)
	}
}
