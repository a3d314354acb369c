package e2e

import (
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	livekit "github.com/livekit/livekit-server/pkg/config"
)

var writeKeys = flag.Bool("write-keys", false, "write internal/livekitfile/keys.txt")

// TestLiveKitKeys compares the settings of LiveKit that doctor and setup know with
// those of the SFU that these tests use.
func TestLiveKitKeys(t *testing.T) {
	const file = "../internal/livekitfile/keys.txt"
	keys := map[string]bool{}
	collect(keys, "", reflect.TypeFor[livekit.Config](), 0)
	var lines []string
	for key := range keys {
		lines = append(lines, key)
	}
	slices.Sort(lines)
	want := "# The settings of livekit.yaml in LiveKit v1.13.5: * is any name, [] an entry of a list.\n" + strings.Join(lines, "\n") + "\n"
	if *writeKeys {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s: got another list, want the SFU's; go test -run LiveKitKeys . -args -write-keys writes it", file)
	}
}

// collect adds the settings in the type t to keys, with a dot between the parts of
// their paths.
func collect(keys map[string]bool, path string, t reflect.Type, depth int) {
	const deepest = 8
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	_, own := reflect.PointerTo(t).MethodByName("UnmarshalYAML")
	switch {
	case depth > deepest || own:
	case t.Kind() == reflect.Map:
		keys[path+".*"] = true
		collect(keys, path+".*", t.Elem(), depth+1)
	case t.Kind() == reflect.Slice:
		collect(keys, path+"[]", t.Elem(), depth+1)
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			collectField(keys, path, t.Field(i), depth)
		}
	}
}

func collectField(keys map[string]bool, path string, field reflect.StructField, depth int) {
	name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	switch {
	case !field.IsExported() || name == "-":
		return
	case strings.Contains(options, "inline"):
		collect(keys, path, field.Type, depth+1)
		return
	case name == "":
		name = strings.ToLower(field.Name)
	}
	full := strings.TrimPrefix(path+"."+name, ".")
	keys[full] = true
	collect(keys, full, field.Type, depth+1)
}
