package main

import (
	_ "embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// intro is the beginning of the README.
//
//go:embed intro.md
var intro string

// readme returns the chart's README. It has the introduction and a table of all
// values.
func readme(schema *yaml.Node) string {
	var b strings.Builder
	b.WriteString(intro)
	table(&b, "Values", "", get(schema, "properties"))
	properties := get(schema, "properties")
	for _, section := range []string{"variables", "secrets"} {
		value := get(properties, section)
		fmt.Fprintf(&b, "\n## %s\n\nUnder `%s` are %s.\n", section, section, get(value, "description").Value)
		if section == "secrets" {
			secretsTable(&b, get(value, "properties"))
			continue
		}
		b.WriteString("\nIn the column “Default”, “–” means that the value is empty. With an empty value the service uses its own default.\n\n| Value | Default | Meaning |\n| --- | --- | --- |\n")
		rows(&b, "", get(value, "properties"))
	}
	return b.String()
}

func table(b *strings.Builder, title, prefix string, properties *yaml.Node) {
	fmt.Fprintf(b, "\n## %s\n\nThese are the values of the chart, besides those under `variables` and `secrets`. The service is matrixrtc-auth. In the column “Default”, “–” means that the value is empty.\n\n| Value | Default | Meaning |\n| --- | --- | --- |\n", title)
	rows(b, prefix, properties)
}

// rows writes a table row for each value of the chart below prefix. If a value
// is an object, rows writes a row for each of its members instead. It skips
// variables and secrets, because other tables list them.
func rows(b *strings.Builder, prefix string, properties *yaml.Node) {
	for name, value := range members(properties) {
		if prefix == "" && (name == "variables" || name == "secrets" || isParents(name)) {
			continue
		}
		if inner := get(value, "properties"); inner != nil {
			rows(b, prefix+name+".", inner)
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", prefix+name, preset(get(value, "default")), cell(get(value, "description").Value))
	}
}

// secretsTable writes one row for each variable that may hold a secret. A
// sentence above the table explains the members that all these variables have.
func secretsTable(b *strings.Builder, properties *yaml.Node) {
	b.WriteString("\nEach variable has the members `existingSecret` and `key`, or `value`. For example, `secrets.LIVEKIT_SECRET.existingSecret` is the name of the Secret with `LIVEKIT_SECRET`. `LIVEKIT_CA_FILE` may have `existingConfigMap` instead of `existingSecret`. If you do not set `key`, the chart uses the entry of the Secret that the second column names.\n")
	b.WriteString("\n| Value | `key` when not set | Meaning |\n| --- | --- | --- |\n")
	for name, value := range members(properties) {
		key := get(get(get(value, "properties"), "key"), "default")
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", name, key.Value, cell(get(value, "description").Value))
	}
}

// preset returns the default of a value as the text of a table cell.
func preset(node *yaml.Node) string {
	text, err := ordered(node)
	if err != nil || node.Value == "" && node.Kind == yaml.ScalarNode {
		return "–"
	}
	if node.Kind == yaml.ScalarNode {
		return "`" + node.Value + "`"
	}
	if len(node.Content) == 0 {
		return "–"
	}
	return "`" + string(text) + "`"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
