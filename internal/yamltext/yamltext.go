// Package yamltext writes the few forms of YAML that this program needs.
//
// The program does not use the encoder of the YAML library, because that encoder
// can call the MarshalYAML method of any value. So the linker would keep the
// MarshalYAML methods of LiveKit's messages, and with them a second YAML library.
// That would take 0.4 MB of the program.
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
	// plain matches texts that need no quotation marks, except for numbers, times, and
	// words like yes and no (switches). Apart from these exceptions, YAML 1.1 (which
	// Synapse reads) and YAML 1.2 read every matched text in the same way.
	plain = pattern.New(`^(?:[A-Za-z^/(][^#\n]*|[0-9A-Za-z]+)$`)
	// switches matches words that YAML 1.1 reads as true or false, but YAML 1.2
	// does not.
	switches = pattern.New(`^(?i:y|yes|n|no|on|off)$`)
)

// Scalar returns the YAML for a text. This is the text itself if YAML reads it
// unchanged, and otherwise the text in quotation marks. A text that is not UTF-8
// becomes base64 with the tag !!binary.
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

// Block returns the YAML for a decoded document. The document may hold maps
// with text keys, lists, texts, numbers, times, true, false and nil. The keys
// of maps are sorted. The last line has no line break.
func Block(v any) string {
	return strings.TrimSpace(behind("", v))
}

// behind returns the YAML that follows a key or the dash of a list item. This is a
// scalar on the same line, or a block of lines below it. Each line of the block
// begins with indent.
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

// number returns the YAML for v, in a form that YAML does not read as an
// integer.
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
