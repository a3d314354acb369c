package main_test

import (
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestElementServerSuite checks the values in docs/kubernetes.md for the Helm
// chart of Element Server Suite. With these values, that chart must run this
// image in this version. The values must change nothing else.
// TestChartEnvironment starts the program as that chart does. The tests in
// deploy/helm check all other sections of the page.
func TestElementServerSuite(t *testing.T) {
	want := map[string]any{"matrixRTC": map[string]any{"image": map[string]any{
		"registry": "registry.example.org", "repository": "matrixrtc-auth", "tag": strings.TrimSpace(read(t, "VERSION")),
	}}}
	var found []map[string]any
	for _, block := range blocks(read(t, "docs/kubernetes.md"), "yaml") {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(block), &values); err != nil {
			t.Fatal(err)
		}
		if values["matrixRTC"] != nil {
			found = append(found, values)
		}
	}
	if len(found) != 1 || !reflect.DeepEqual(found[0], want) {
		t.Errorf("the values in docs/kubernetes.md: got %v, want once %v", found, want)
	}
}
