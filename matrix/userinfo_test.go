package matrix

import (
	"encoding/json"
	"testing"
)

// FuzzPlainSubject checks that plainSubject returns the same as encoding/json.
func FuzzPlainSubject(f *testing.F) {
	for _, body := range []string{
		`{"sub":"@alice:example.org"}`, `{"sub":""}`, `{"sub":"}`, `{"sub":"\u0040a:b"}`, `{"sub":"a","sub":"b"}`,
		`{"sub":"ü"}`, "{\"sub\":\"\x7f\"}", "{\"sub\":\"\xff\"}", "{\"sub\":\"a\tb\"}", `{"sub": "a"}`, `{"sub":"a"} `, `{"sub":1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := plainSubject(body)
		var want struct {
			Subject string `json:"sub"`
		}
		err := json.Unmarshal(body, &want)
		if ok && (err != nil || got != want.Subject) {
			t.Errorf("%q: got %q, want %q, %v as encoding/json reads it", body, got, want.Subject, err)
		}
	})
}

func TestPlainSubject(t *testing.T) {
	for body, want := range map[string]bool{
		`{"sub":"@alice:example.org"}`:         true,
		`{"sub":"@alice:example.org","x":"y"}`: false,
		`{"sub":"@\u0061lice:example.org"}`:    false,
		`{"sub":"@älice:example.org"}`:         false,
		` {"sub":"@alice:example.org"}`:        false,
	} {
		t.Run(body, func(t *testing.T) {
			if got, ok := plainSubject([]byte(body)); ok != want || ok && got != "@alice:example.org" {
				t.Errorf("%s: got %q, %t; want plain to be %t", body, got, ok, want)
			}
		})
	}
}

func BenchmarkUserInfo(b *testing.B) {
	for name, body := range map[string]string{
		"plain":         `{"sub":"@alice:example.org"}`,
		"encoding/json": `{"sub": "@alice:example.org"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseUserInfo([]byte(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
