package doctor

import (
	"encoding/json"
	"maps"
	"slices"

	"matrixrtc-auth/doctor/engine"
)

// maxNesting is how many levels deep doctor searches for a misplaced key.
const maxNesting = 4

// keyWithin returns the name of the member of object that contains key. The key
// can be up to depth levels below object. keyWithin returns "" if no member
// contains key.
func keyWithin(object map[string]json.RawMessage, key string, depth int) string {
	if depth == 0 {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		var inner map[string]json.RawMessage
		if json.Unmarshal(object[name], &inner) != nil {
			continue
		}
		if _, there := inner[key]; there {
			return name
		}
		if deeper := keyWithin(inner, key, depth-1); deeper != "" {
			return deeper
		}
	}
	return ""
}

// nestedKey returns the finding that the well-known document has a key below
// another key. The key belongs at the top of the document.
func (h *homeserver) nestedKey(key string) engine.Finding {
	inside := clip(h.document.nested[key])
	v := engine.Vars{"server": h.name.String(), "setting": key, "inside": inside}
	return found("wellknown-nested", v, "%s is within %s", key, inside)
}
