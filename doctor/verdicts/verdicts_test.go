package verdicts_test

import (
	"compress/gzip"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"matrixrtc-auth/doctor/verdicts"
)

// TestModule checks that the script verdicts.js of the connection test's page
// is the one that the table of verdicts makes.
func TestModule(t *testing.T) {
	compressed, err := os.Open("../../testpage/static/verdicts.js.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer compressed.Close()
	plain, err := gzip.NewReader(compressed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil || string(text) != verdicts.Module() {
		t.Errorf("testpage/static/verdicts.js.gz: got another text (%v), want what the table makes: run go generate ./doctor", err)
	}
	for _, want := range []string{`"Über TCP führt kein Weg."`, `"There is no way over TCP."`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the module: got no %s, want it", want)
		}
	}
	if !utf8.Valid(text) || strings.ContainsRune(string(text), utf8.RuneError) || strings.Contains(string(text), `\ufffd`) {
		t.Error("the module: got half characters, want valid UTF-8")
	}
}

// TestVerdicts checks that every verdict has words in both languages. A verdict
// that is not good must also have a reason and a remedy.
func TestVerdicts(t *testing.T) {
	placeholder := regexp.MustCompile(`\{\w+\}`)
	for _, v := range verdicts.All() {
		t.Run(v.ID, func(t *testing.T) {
			english, german := v.Words()
			if v.Says == "" || v.German == "" || v.Says == v.German {
				t.Errorf("got %q, in German %q, want two texts", v.Says, v.German)
			}
			for _, pair := range [][2]string{{english.Text, german.Text}, {english.Remedy, german.Remedy}} {
				if (v.Mark != "ok") != (pair[0] != "") || (pair[0] == "") != (pair[1] == "") {
					t.Errorf("mark %s: got %q, in German %q, want both, and none for ok", v.Mark, pair[0], pair[1])
				}
				ours, theirs := placeholder.FindAllString(pair[0], -1), placeholder.FindAllString(pair[1], -1)
				slices.Sort(ours)
				slices.Sort(theirs)
				if !slices.Equal(slices.Compact(ours), slices.Compact(theirs)) {
					t.Errorf("German of %q: got the placeholders %q in %q, want %q", pair[0], theirs, pair[1], ours)
				}
			}
		})
	}
}

// TestAreUsed checks that the page's scripts name all verdicts of the table.
func TestAreUsed(t *testing.T) {
	var scripts strings.Builder
	for _, name := range []string{"verdict", "ticket", "signal", "run", "main"} {
		text, err := os.ReadFile("../../testpage/static/" + name + ".js")
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(text)
	}
	for _, v := range verdicts.All() {
		if !strings.Contains(scripts.String(), `"`+v.ID+`"`) {
			t.Errorf("the scripts of the page: got no verdict %s, want it named", v.ID)
		}
	}
}
