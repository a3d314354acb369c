package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed schema.yaml
var source []byte

// readSchema returns the schema of the chart's values, in the order of
// schema.yaml.
func readSchema() (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, fmt.Errorf("schema.yaml cannot be parsed: %w", err)
	}
	return document.Content[0], nil
}

// get returns the value of a member in a mapping. name is the name of the
// member. If there is no such member, get returns nil.
func get(mapping *yaml.Node, name string) *yaml.Node {
	for key, value := range members(mapping) {
		if key == name {
			return value
		}
	}
	return nil
}

// members returns the names and values of a mapping, in order. A nil mapping
// has no members.
func members(mapping *yaml.Node) func(yield func(name string, value *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if mapping == nil {
			return
		}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i].Value, mapping.Content[i+1]) {
				return
			}
		}
	}
}

// schemaJSON returns the schema in the JSON form that Helm reads.
func schemaJSON(schema *yaml.Node) (string, error) {
	compact, err := ordered(schema)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return "", err
	}
	b.WriteByte('\n')
	return b.String(), nil
}

// ordered encodes a YAML node as JSON. The members stay in the order of the
// YAML file.
func ordered(node *yaml.Node) ([]byte, error) {
	switch node.Kind {
	case yaml.MappingNode:
		var list [][]byte
		for name, value := range members(node) {
			text, err := ordered(value)
			if err != nil {
				return nil, err
			}
			key, err := marshal(name)
			if err != nil {
				return nil, err
			}
			list = append(list, append(append(key, ':'), text...))
		}
		return enclose('{', list, '}'), nil
	case yaml.SequenceNode:
		var list [][]byte
		for _, item := range node.Content {
			text, err := ordered(item)
			if err != nil {
				return nil, err
			}
			list = append(list, text)
		}
		return enclose('[', list, ']'), nil
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, err
	}
	return marshal(value)
}

func enclose(begin byte, list [][]byte, end byte) []byte {
	return append(append([]byte{begin}, bytes.Join(list, []byte{','})...), end)
}

// marshal encodes value as JSON. It does not escape the characters <, > and &.
func marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
