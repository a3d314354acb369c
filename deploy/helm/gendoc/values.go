package main

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

const valuesHead = `# The values of the chart, each with its default. Made from gendoc/schema.yaml and the
# program's variables by "go generate": change those. README.md has all of this as a
# table, and docs/kubernetes.md the steps.
`

// valuesFile returns the text of values.yaml.
func valuesFile(schema *yaml.Node) (string, error) {
	var b strings.Builder
	b.WriteString(valuesHead)
	for name, value := range members(get(schema, "properties")) {
		if isParents(name) {
			continue
		}
		b.WriteByte('\n')
		if err := writeValue(&b, "", name, value); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// writeValue writes one value, with its description as a comment above it. If
// the value is an object, writeValue writes all its members in the same way.
func writeValue(b *strings.Builder, indent, name string, value *yaml.Node) error {
	for _, line := range wrap(plain(get(value, "description").Value), 86-len(indent)) {
		fmt.Fprintf(b, "%s# %s\n", indent, line)
	}
	if properties := get(value, "properties"); properties != nil {
		fmt.Fprintf(b, "%s%s:\n", indent, name)
		if isKeyOnly(properties) {
			return writePlain(b, indent+"  ", properties)
		}
		for member, of := range members(properties) {
			if err := writeValue(b, indent+"  ", member, of); err != nil {
				return err
			}
		}
		return nil
	}
	return writePlain(b, indent, &yaml.Node{Content: []*yaml.Node{text(name), value}})
}

// plain returns text without the marks that make parts of it code in Markdown.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// isKeyOnly reports whether properties are the members of a secret, like
// existingSecret and key. In values.yaml, only the description of "secrets"
// explains these members.
func isKeyOnly(properties *yaml.Node) bool { return get(properties, "existingSecret") != nil }

// writePlain writes values without comments.
func writePlain(b *strings.Builder, indent string, properties *yaml.Node) error {
	for name, value := range members(properties) {
		node := get(value, "default")
		flow := *node
		if node.Kind != yaml.ScalarNode {
			flow.Style = yaml.FlowStyle
		} else if node.Tag == "!!str" {
			flow.Style = yaml.DoubleQuotedStyle
		}
		out, err := yaml.Marshal(&flow)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%s%s: %s\n", indent, name, strings.TrimSpace(string(out)))
	}
	return nil
}

// wrap breaks text between words into lines of at most width characters. A word
// that is longer gets a separate line.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// isParents reports whether a value of the chart is for Helm itself, or for a
// chart that includes this chart. These values are "global" and "enabled".
func isParents(name string) bool { return name == "global" || name == "enabled" }
