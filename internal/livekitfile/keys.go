// Package livekitfile knows which settings livekit.yaml may have. LiveKit does
// not start if the file has another setting.
package livekitfile

import (
	_ "embed"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
)

//go:embed keys.txt
var list string

// keys returns the paths of all settings that LiveKit knows, sorted.
var keys = sync.OnceValue(func() []string {
	_, paths, _ := strings.Cut(strings.TrimSpace(list), "\n")
	keys := strings.Split(paths, "\n")
	sort.Strings(keys)
	return keys
})

// Unknown returns the paths of the settings in document that LiveKit does not
// know, sorted. A path has the form "rtc.tcp_prot".
func Unknown(document map[string]any) []string { return unknownIn("", document) }

func unknownIn(path string, v any) (unknown []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			unknown = append(unknown, unknownBelow(path, name, v[name])...)
		}
	case []any:
		for _, item := range v {
			unknown = append(unknown, unknownIn(path+"[]", item)...)
		}
	}
	return unknown
}

func unknownBelow(path, name string, v any) []string {
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
		return nil // this setting is a map, whose keys may be any texts
	}
	return []string{dot + name}
}

func knows(path string) bool {
	_, there := slices.BinarySearch(keys(), path)
	return there
}

func knowsBelow(prefix string) bool {
	known := keys()
	i, _ := slices.BinarySearch(known, prefix)
	return i < len(known) && strings.HasPrefix(known[i], prefix)
}
