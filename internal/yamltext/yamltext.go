// Package yamltext writes the little YAML that this program makes.
//
// It takes the place of the YAML library's encoder, which calls MarshalYAML of
// whatever it gets: the linker then keeps those methods of LiveKit's messages,
// and a second YAML library with them, 0.4 MB of the program.
package yamltext

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/internal/pattern"
)

var (
	// plain matches texts that version 1.1 of YAML, which Synapse reads, takes
	// for a number or a time only where version 1.2 does, too.
	plain = pattern.New(`^(?:[A-Za-z^/(][^#\n]*|[0-9A-Za-z]+)$`)
	// switches are the words that version 1.1 takes for true or false, and 1.2
	// does not.
	switches = pattern.New(`^(?i:y|yes|n|no|on|off)$`)
)

// Scalar writes a text so that YAML reads the same text again: as it is where
// that can be read, else between quotation marks.
func Scalar(value string) string {
	if !utf8.ValidString(value) {
		return "!!binary " + base64.StdEncoding.EncodeToString([]byte(value))
	}
	if plain().MatchString(value) && !switches().MatchString(value) {
		var read any
		if err := yaml.Unmarshal([]byte(value), &read); err == nil && read == any(value) {
			return value
		}
	}
	return strconv.Quote(value)
}

// Block writes what a document was decoded to (maps by text, lists, texts,
// numbers, times, true and false, nil) in lines, the keys of maps in order. The
// last line has no end.
func Block(v any) string {
	return strings.TrimSpace(behind("", v))
}

// behind is what stands behind a key or the dash of a list, at that indent: a
// scalar in the same line, or the lines below.
func behind(indent string, v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b.WriteString("\n" + indent + Scalar(key) + ":" + behind(indent+"  ", v[key]))
		}
		if len(v) == 0 {
			return " {}"
		}
	case []any:
		for _, item := range v {
			below := behind(indent+"  ", item)
			b.WriteString("\n" + indent + "- " + strings.TrimLeft(below, "\n "))
		}
		if len(v) == 0 {
			return " []"
		}
	default:
		return " " + scalar(v)
	}
	return b.String()
}

func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return Scalar(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case float64:
		return number(v)
	case bool, int, int64, uint64:
		return fmt.Sprint(v)
	}
	return Scalar(fmt.Sprint(v))
}

// number writes v so that it does not come back as a whole number.
func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return ".inf"
	case math.IsInf(v, -1):
		return "-.inf"
	case math.IsNaN(v):
		return ".nan"
	}
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
