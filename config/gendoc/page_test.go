package main

import (
	"os"
	"testing"
)

// TestPageIsCurrent compares docs/variables.md with the table of variables.
func TestPageIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../../docs/variables.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != page() {
		t.Error("docs/variables.md: got another page, want what the table of variables makes: run go generate ./config")
	}
}
