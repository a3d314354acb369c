// Command gendoc writes the files of the chart that follow from other files.
// From schema.yaml and the program's variables it writes values.yaml,
// values.schema.json and README.md. It also copies the alerts into the chart.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendoc FOLDER, the one of deploy/helm")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	files, err := generate(dir)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "matrixrtc-auth", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the generated files of the chart: the keys are the names of
// the files, and the values are the contents. dir is the path of deploy/helm.
func generate(dir string) (map[string]string, error) {
	rules, err := os.ReadFile(filepath.Join(dir, "../prometheus/rules.yaml"))
	if err != nil {
		return nil, err
	}
	schema, err := readSchema()
	if err != nil {
		return nil, err
	}
	addVariables(schema)
	json, err := schemaJSON(schema)
	if err != nil {
		return nil, err
	}
	values, err := valuesFile(schema)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"files/rules.yaml":   string(rules),
		"values.schema.json": plain(json),
		"values.yaml":        values,
		"README.md":          readme(schema),
	}, nil
}
