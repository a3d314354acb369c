package doctor

import (
	_ "embed"
	"slices"
	"sort"
	"strings"
)

//go:embed livekit_keys.txt
var livekitKeyList string

// livekitKeys are the settings that LiveKit knows, sorted.
var livekitKeys = func() []string {
	_, list, _ := strings.Cut(strings.TrimSpace(livekitKeyList), "\n")
	keys := strings.Split(list, "\n")
	sort.Strings(keys)
	return keys
}()

// unknownKey returns the path of a setting that LiveKit does not know, "" if
// there is none: its parser is a strict one.
func unknownKey(document map[string]any) string { return unknownIn("", document) }

func unknownIn(path string, v any) string {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(keysOf(v)) {
			if unknown := unknownBelow(path, name, v[name]); unknown != "" {
				return unknown
			}
		}
	case []any:
		for _, item := range v {
			if unknown := unknownIn(path+"[]", item); unknown != "" {
				return unknown
			}
		}
	}
	return ""
}

func unknownBelow(path, name string, v any) string {
	dot := path + "."
	if path == "" {
		dot = ""
	}
	switch {
	case knows(dot + name):
		return unknownIn(dot+name, v)
	case knows(dot + "*"):
		return unknownIn(dot+"*", v)
	case path != "" && !knowsBelow(dot):
		return "" // free form
	}
	return dot + name
}

func keysOf(m map[string]any) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

func knows(path string) bool {
	_, there := slices.BinarySearch(livekitKeys, path)
	return there
}

func knowsBelow(prefix string) bool {
	i, _ := slices.BinarySearch(livekitKeys, prefix)
	return i < len(livekitKeys) && strings.HasPrefix(livekitKeys[i], prefix)
}
