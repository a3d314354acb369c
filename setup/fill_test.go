package setup

import (
	"fmt"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	values := map[string]string{"Yes": "y", "Also": "a", "No": "", "Braces": "{{.Yes}}"}
	tests := []struct{ name, template, want string }{
		{"no action", "text } { $x\n", "text } { $x\n"},
		{"values", "{{.Yes}}-{{.No}}-{{.Also}}", "y--a"},
		{"a value is not a template", "{{.Braces}}", "{{.Yes}}"},
		{"if", "<{{if .Yes}}1{{end}}{{if .No}}2{{end}}>", "<1>"},
		{"else", "{{if .Yes}}1{{else}}2{{end}}{{if .No}}3{{else}}4{{end}}", "14"},
		{"in a branch", "{{if .Yes}}{{if .No}}1{{else}}2{{end}}3{{else}}4{{end}}", "23"},
		{"in a branch not written", "{{if .No}}{{if .Yes}}1{{else}}2{{end}}3{{.Also}}{{else}}4{{end}}", "4"},
		{"in an else not written", "{{if .Yes}}1{{else}}{{if .No}}2{{else}}3{{end}}4{{end}}", "1"},
		{"no trim", "a \n {{.Yes}} \n b", "a \n y \n b"},
		{"trim before", "a \t\n{{- .Yes}} b", "ay b"},
		{"trim after", "a {{.Yes -}} \t\n b", "a yb"},
		{"trim between actions", "{{.Yes}}\n{{- .Also -}}\n{{.Yes}}", "yay"},
		{"trim around a block", "a\n{{- if .Yes}}\nb\n{{- end}}\nc", "a\nb\nc"},
		{"a value is not trimmed", "{{.Yes}}{{- if .Yes}} {{end -}} .", "y ."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := fill(tt.template, values); got != tt.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestFillFaults(t *testing.T) {
	values := map[string]string{"Yes": "y", "No": ""}
	tests := []struct{ template, fault string }{
		{"{{.Unknown}}", "{{.Unknown}} is not an action that setup knows"},
		{"{{if .Unknown}}{{end}}", "{{if .Unknown}} is not an action that setup knows"},
		{"{{if .No}}{{.Unknown}}{{end}}", "{{.Unknown}} is not an action that setup knows"},
		{"{{Yes}}", "{{Yes}} is not an action that setup knows"},
		{"{{range .Yes}}{{end}}", "{{range .Yes}} is not an action that setup knows"},
		{"{{}}", "{{}} is not an action that setup knows"},
		{"{{.Yes}} {{.Yes", "a {{ has no }}"},
		{"{{.Yes\n}}", "{{.Yes\n}} is not an action that setup knows"},
		{"{{if .No}}{{.Yes{{end}}", "{{.Yes{{end}} is not an action that setup knows"},
		{"{{if .Yes}}", "an {{if}} has no {{end}}"},
		{"{{if .Yes}}{{if .No}}{{else}}{{end}}", "an {{if}} has no {{end}}"},
		{"{{end}}", "{{end}} without an {{if}} before it"},
		{"{{if .Yes}}{{end}}{{else}}", "{{else}} without an {{if}} before it"},
		{"{{if .Yes}}{{else}}{{else}}{{end}}", "{{else}} without an {{if}} before it"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.template), func(t *testing.T) {
			got, err := fill(tt.template, values)
			if got != "" || err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%s: got %q, %v; want the error %q", tt.template, got, err, tt.fault)
			}
		})
	}
}
