package testpage

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// evaluate returns the value of a JavaScript expression, as JSON. The expression can
// use the functions that the page's scripts export.
func evaluate(t *testing.T, expression string) string {
	t.Helper()
	const imports = `
import { fill, judge, placeholders, remarks } from "./verdict.js";
import { redact, redactAll, reportOf } from "./report.js";
import { keyOf } from "./ticket.js";
import { read } from "./stats.js";
import { languageOf, wordsIn } from "./words.js";
import { verdicts } from "./verdicts.js";
`
	folder := scripts(t)
	main := filepath.Join(folder, "test.js")
	if err := os.WriteFile(main, []byte(imports+"console.log(JSON.stringify("+expression+"));\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", main)
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: got %v\n%s\nwant a value", expression, err, faults.String())
	}
	return strings.TrimSpace(string(out))
}

// evaluateAll returns the values of several expressions, by their names. It starts
// Node.js only once.
func evaluateAll(t *testing.T, expressions map[string]string) map[string]string {
	t.Helper()
	var all []string
	for name, expression := range expressions {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(quoted)+": "+expression)
	}
	values := map[string]json.RawMessage{}
	text := evaluate(t, "{"+strings.Join(all, ",\n")+"}")
	if err := json.Unmarshal([]byte(text), &values); err != nil || len(values) != len(expressions) {
		t.Fatalf("got %d values (%v), want %d: %s", len(values), err, len(expressions), text)
	}
	found := map[string]string{}
	for name, value := range values {
		found[name] = string(value)
	}
	return found
}

// calls returns a JavaScript call of the function for each argument. The keys of the
// map are the arguments.
func calls(function string, arguments []string) map[string]string {
	all := map[string]string{}
	for _, each := range arguments {
		all[each] = function + "(" + each + ")"
	}
	return all
}

// scripts copies the page's scripts to a folder in which Node.js treats them as
// modules.
func scripts(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	write(t, filepath.Join(folder, "package.json"), []byte(`{"type":"module"}`))
	for _, name := range []string{"verdict.js", "report.js", "stats.js", "ticket.js", "words.js", "verdicts.js.gz"} {
		text, err := os.ReadFile(filepath.Join("../../testpage/static", name))
		if err != nil {
			t.Fatal(err)
		}
		plain, found := strings.CutSuffix(name, ".gz")
		if found {
			text = inflate(t, string(text))
		}
		write(t, filepath.Join(folder, plain), text)
	}
	return folder
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func inflate(t *testing.T, compressed string) []byte {
	t.Helper()
	plain, err := gzip.NewReader(strings.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// same reports whether two texts are the same JSON value.
func same(t *testing.T, one, other string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(one), &a); err != nil {
		t.Fatalf("%s: got %v, want JSON", one, err)
	}
	if err := json.Unmarshal([]byte(other), &b); err != nil {
		t.Fatalf("%s: got %v, want JSON", other, err)
	}
	return reflect.DeepEqual(a, b)
}
