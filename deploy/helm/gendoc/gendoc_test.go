package main

import (
	"os"
	"path/filepath"
	"testing"

	"matrixrtc-auth/config"
)

// TestCurrent checks that the generated files are up to date with their
// sources.
func TestCurrent(t *testing.T) {
	files, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../matrixrtc-auth", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s: got another text, want what it is made from: run go generate in deploy/helm", name)
		}
	}
}

// TestEveryVariable checks that the chart's values have each variable of the
// program, and no other variable.
func TestEveryVariable(t *testing.T) {
	schema, err := readSchema()
	if err != nil {
		t.Fatal(err)
	}
	addVariables(schema)
	properties := get(schema, "properties")
	plain, secrets := get(get(properties, "variables"), "properties"), get(get(properties, "secrets"), "properties")
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
		_, other := elsewhere[v.Name]
		if stands := get(plain, v.Name) != nil || get(secrets, v.Name) != nil; stands == other {
			t.Errorf("%s: in the values %v, set by another value %v; want one of the two", v.Name, stands, other)
		}
		if v.Secret && get(plain, v.Name) != nil {
			t.Errorf("%s is a secret: got it among the plain values, want it among the secrets", v.Name)
		}
	}
	for _, names := range []map[string]string{elsewhere, presets, patterns, meanings} {
		for name := range names {
			if !known[name] {
				t.Errorf("got %s in a table, want only variables of the program", name)
			}
		}
	}
}
