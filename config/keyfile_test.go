package config_test

import (
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

func parseKeys(text string) (pairs []string, err error) {
	set := vars{
		"LIVEKIT_URL":                     "wss://sfu.example.org",
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": "example.org",
		"LIVEKIT_KEY_FILE":                "/keys.yaml",
	}
	c, _, err := config.Parse(set.input(), disk{"/keys.yaml": text}.read)
	for _, k := range c.Keys {
		pairs = append(pairs, k.ID+"="+k.Secret.Reveal())
	}
	return pairs, err
}

func TestKeyFile(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"one", "k: s\n", []string{"k=s"}},
		{"order kept", "z: 1\na: 2\nm: 3\n", []string{"z=1", "a=2", "m=3"}},
		{"colon in the secret", "k: a:b", []string{"k=a:b"}},
		{"colon and space in the secret", "k: a: b", []string{"k=a: b"}},
		{"no space", "k:s", []string{"k=s"}},
		{"no space, several", "k:s\nk2:s2", []string{"k=s", "k2=s2"}},
		{"no space, colon in the secret", "k:a:b", []string{"k=a:b"}},
		{"tab", "k:\ts", []string{"k=s"}},
		{"space before the colon", "k : s", []string{"k=s"}},
		{"colon in the key", "a:b: c", []string{"a:b=c"}},
		{"quoted", `"k": "s # x"` + "\n" + `'k2': 'it''s'`, []string{"k=s # x", "k2=it's"}},
		{"quoted beside what is not YAML", "k: a: b\n\"k2\": \"x\\ty\" # note\nk3: 'it''s'", []string{"k=a: b", "k2=x\ty", "k3=it's"}},
		{"comments and blank lines", "# keys\n\nk: s # the new one\n\n  # old\nk2: s2\n", []string{"k=s", "k2=s2"}},
		{"comments beside what is not YAML", "---\n# keys\n\nk: a: b # the new one\nk2: s#2\n", []string{"k=a: b", "k2=s#2"}},
		{"not a YAML value", "k: @home\nk2: %x", []string{"k=@home", "k2=%x"}},
		{"numbers stay text", "k: 0123\nk2: 1e3\nk3: true", []string{"k=0123", "k2=1e3", "k3=true"}},
		{"flow", "{k: s, k2: s2}", []string{"k=s", "k2=s2"}},
		{"block", "k: |\n  s\n", []string{"k=s"}},
		{"Windows", "\ufeffk: s\r\nk2: a: b\r\n", []string{"k=s", "k2=a: b"}},
		{"first line indented", "  k: s\nk2: s2\n", []string{"k=s", "k2=s2"}},
		{"two documents", "k: s\n---\nk2: s2\n", []string{"k=s", "k2=s2"}},
		{"two documents, in braces", "{k: s}\n---\n{k2: s2}\n", []string{"k=s", "k2=s2"}},
		{"end of the document", "k: s\n...\nk2: s2\n", []string{"k=s", "k2=s2"}},
		{"nothing behind the document", "---\nk: s\n...\n---\n", []string{"k=s"}},
		{"indented", "\n  k: s\n  k2: s2\n", []string{"k=s", "k2=s2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseKeys(test.text)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestKeyFileFaults(t *testing.T) {
	tests := []struct{ name, text, words string }{
		{"no secret", "k:", "line 1 has no secret"},
		{"null", "a: b\nk: ~", "line 2 has no secret"},
		{"empty quotes", `k: ""`, "line 1 has no secret"},
		{"no key", ": hunter2", "line 1 has no key"},
		{"no colon", "\n\nhunter2", "line 3 has no colon"},
		{"duplicate", "k: hunter2\n\nk: hunter3", "line 3 has a key that an earlier line has"},
		{"duplicate, differently quoted", "k: hunter2: x\n'k': hunter3", "line 2 has a key that an earlier line has"},
		{"duplicate in another document", "k: hunter2\n---\nk: hunter3", "line 3 has a key that an earlier line has"},
		{"list in another document", "k: hunter2\n---\n- hunter3", "contains a list"},
		{"open quotes", `k: "hunter2`, "line 1 has an opening quotation mark"},
		{"whole livekit.yaml", "port: 7880\nkeys:\n  k: hunter2\n", "line 2 has more than a key"},
		{"list", "- k: hunter2", "contains a list"},
		{"value in brackets", "k: [hunter2]", "line 1 has more than a key"},
		{"only comments", "# k: hunter2\n", "it contains no key"},
		{"empty", "", "empty; it must hold one line 'key: secret'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pairs, err := parseKeys(test.text)
			list := faults(t, err)
			if len(list) != 1 || list[0].Variable != "LIVEKIT_KEY_FILE" || !strings.Contains(list[0].Problem, test.words) {
				t.Fatalf("got %q, %v, want one fault with %q", pairs, err, test.words)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("the fault repeats the file: got %v, want no hunter in it", err)
			}
		})
	}
}
