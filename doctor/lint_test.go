package doctor

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestLineOf checks that lineOf names the line of a fault in YAML, but not the
// text, which may hold a secret.
func TestLineOf(t *testing.T) {
	var v struct{ Port int }
	for _, text := range []string{"port: 1\nkeys\n  a: s3cret\n", "port: s3cret\n", "a: [s3cret"} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			if err := yaml.Unmarshal([]byte(text), &v); err == nil || strings.Contains(lineOf(err), "s3cret") || !strings.HasPrefix(lineOf(err), "line ") {
				t.Errorf("%q: got %v: %q, want the line, and no secret in it", text, err, lineOf(err))
			}
		})
	}
}
