package yamltext_test

import (
	"reflect"
	"testing"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/internal/yamltext"
)

func TestScalar(t *testing.T) {
	for value, want := range map[string]string{
		"matrixrtc-auth":             "matrixrtc-auth",
		"http://matrixrtc-auth:8080": "http://matrixrtc-auth:8080",
		`^@.*:example\.org$`:         `^@.*:example\.org$`,
		"":                           `""`,
		"yes":                        `"yes"`,
		"Off":                        `"Off"`,
		"true":                       `"true"`,
		"null":                       `"null"`,
		"12e34":                      `"12e34"`,
		"0123":                       `"0123"`,
		"0x1f":                       `"0x1f"`,
		"2026-11-30":                 `"2026-11-30"`,
		"01ab":                       "01ab",
		"12:30":                      `"12:30"`,
		"key: value":                 `"key: value"`,
		"a # b":                      `"a # b"`,
		"a\nb":                       `"a\nb"`,
		" a":                         `" a"`,
		"a ":                         `"a "`,
		"[a]":                        `"[a]"`,
		`"`:                          `"\""`,
		"\xff":                       "!!binary /w==",
	} {
		t.Run(value, func(t *testing.T) {
			if got := yamltext.Scalar(value); got != want {
				t.Errorf("Scalar(%q): got %s, want %s", value, got, want)
			}
		})
	}
}

// FuzzScalar checks that a YAML parser reads the output of Scalar as the original
// text. The output is once the value of a key, and once an item of a list.
func FuzzScalar(f *testing.F) {
	for _, value := range []string{"a", "a: b", "- a", "\u0085", "\u2028", "\ufeffa", "@a", "\x00", "\xff", "~", "a\tb", "?", "...", "/ #"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		written := yamltext.Scalar(value)
		for _, form := range []string{"key: ", "key:\n  - k: "} {
			var read any
			if err := yaml.Unmarshal([]byte(form+written+"\n"), &read); err != nil {
				t.Fatalf("Scalar(%q) = %s, which is read with %v; want no error", value, written, err)
			}
			got := read.(map[string]any)["key"]
			if list, ok := got.([]any); ok {
				got = list[0].(map[string]any)["k"]
			}
			if got != any(value) {
				t.Errorf("Scalar(%q) = %s, which is read as %q; want the same text", value, written, got)
			}
		}
	})
}

func TestBlock(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a map in a map":     {"rtc: {tcp_port: 7881, stun_servers: ['a:1', b]}", "rtc:\n  stun_servers:\n    - a:1\n    - b\n  tcp_port: 7881"},
		"a list of maps":     {"servers: [{host: h, port: 1}, {}, []]", "servers:\n  - host: h\n    port: 1\n  - {}\n  - []"},
		"a list in a list":   {"[[1, 2], 3]", "- - 1\n  - 2\n- 3"},
		"scalars":            {"{a: null, b: true, c: -1, d: 1.5, e: 'yes', f: .inf, g: ''}", "a: null\nb: true\nc: -1\nd: 1.5\ne: \"yes\"\nf: .inf\ng: \"\""},
		"lines":              {`a: "b\nc"`, `a: "b\nc"`},
		"a key with a colon": {"'a: b': 1", `"a: b": 1`},
		"a text":             {"a", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			var v, again any
			if err := yaml.Unmarshal([]byte(test.text), &v); err != nil {
				t.Fatal(err)
			}
			got := yamltext.Block(v)
			if got != test.want {
				t.Errorf("Block(%v): got\n%s\nwant\n%s", v, got, test.want)
			}
			if err := yaml.Unmarshal([]byte(got), &again); err != nil || !reflect.DeepEqual(v, again) {
				t.Errorf("Block(%v): read again: got %v, %v, want the same", v, again, err)
			}
		})
	}
}

// FuzzBlock checks that a YAML parser reads the output of Block as the original
// document.
func FuzzBlock(f *testing.F) {
	for _, text := range []string{"a: {b: [1, {c: d}]}", "- - - 1", "a: 2026-11-30", "a: 0x1f", "a: -.inf", "{? a : b}", "a: [[], {}]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v, again any
		if yaml.Unmarshal([]byte(text), &v) != nil || !isPlain(v) {
			return
		}
		written := yamltext.Block(v)
		if err := yaml.Unmarshal([]byte(written), &again); err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%q, written as %q: got %#v back, error %v, want %#v", text, written, again, err, v)
		}
	})
}

// isPlain reports whether v has only types that Block can write, and is equal
// to itself (NaN is not).
func isPlain(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			if !isPlain(below) {
				return false
			}
		}
	case []any:
		for _, below := range v {
			if !isPlain(below) {
				return false
			}
		}
	case map[any]any:
		return false
	case float64:
		return v == v
	}
	return true
}
