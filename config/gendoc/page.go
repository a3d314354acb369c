package main

import (
	_ "embed"
	"fmt"
	"strings"

	"matrixrtc-auth/config"
)

// intro begins docs/variables.md; it is written by hand.
//
//go:embed intro.md
var intro string

// page returns docs/variables.md: the introduction, and a table for each group
// of variables.
func page() string {
	var b strings.Builder
	b.WriteString(intro)
	group := config.Group("")
	for _, v := range config.Variables() {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(&b, "\n## %s\n\n| Variable | Default | Meaning | Written as |\n| --- | --- | --- | --- |\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, preset(v), cell(v.Meaning), cell(string(v.Form)))
	}
	return b.String()
}

// preset is the default of a variable, as a cell has it.
func preset(v config.Variable) string {
	if v.Default == "" {
		return "–"
	}
	return "`" + v.Default + "`"
}

// cell is text in which no character ends the cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
