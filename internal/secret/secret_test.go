package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"matrixrtc-auth/internal/secret"
)

const value = "hunter2-hunter2-hunter2"

// forms lists the forms in which the value could leak: the value itself, its bytes
// in hexadecimal (%x), and its bytes as a slice of numbers.
var forms = []string{value, fmt.Sprintf("%x", value), fmt.Sprint([]byte(value))}

func leaks(t *testing.T, how, out string) {
	t.Helper()
	for _, form := range forms {
		if strings.Contains(strings.ToLower(out), form) {
			t.Errorf("%s: got %s, want no secret in it", how, out)
		}
	}
}

func TestNothingPrintsIt(t *testing.T) {
	s := secret.New(value)
	type outer struct {
		Secret  secret.Text
		Pointer *secret.Text
		hidden  secret.Text
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		t.Run(verb, func(t *testing.T) {
			for _, v := range []any{s, &s, outer{s, &s, s}, []secret.Text{s}, map[string]secret.Text{"k": s}} {
				leaks(t, verb, fmt.Sprintf(strings.Replace(verb, "%T ", "", 1), v))
			}
		})
	}
	leaks(t, "error", fmt.Errorf("failed with %w and %v", errors.New("x"), s).Error())

	b, err := json.Marshal(outer{s, &s, s})
	if err != nil {
		t.Fatal(err)
	}
	leaks(t, "json", string(b))
	if !strings.Contains(string(b), `"[redacted]"`) {
		t.Errorf("json = %s, want the redaction in it", b)
	}

	for name, h := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(w *bytes.Buffer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			slog.New(h(&out)).Info("m", "secret", s, "struct", outer{s, &s, s}, "list", []secret.Text{s})
			leaks(t, "slog "+name, out.String())
		})
	}
}

func TestReveal(t *testing.T) {
	if got := secret.New(value).Reveal(); got != value {
		t.Errorf("Reveal = %q, want %q", got, value)
	}
	if !secret.New("").IsEmpty() || secret.New(value).IsEmpty() {
		t.Errorf("IsEmpty: got %v of an empty and %v of another, want true and false", secret.New("").IsEmpty(), secret.New(value).IsEmpty())
	}
	if got := secret.New("").String(); got != "" {
		t.Errorf("the empty secret prints %q, want nothing", got)
	}
}

func TestEqual(t *testing.T) {
	a := secret.New(value)
	if !a.Equal(secret.New(value)) || a.Equal(secret.New("other")) || a.Equal(secret.Text{}) {
		t.Errorf("Equal: got %v, %v and %v for the same, another and none, want true, false, false", a.Equal(secret.New(value)), a.Equal(secret.New("other")), a.Equal(secret.Text{}))
	}
	if !(secret.Text{}).Equal(secret.New("")) {
		t.Error("Equal of two empty secrets: got false, want true")
	}
}

func TestHash(t *testing.T) {
	// The wanted hash is from: echo -n hunter2-hunter2-hunter2 | sha256sum | cut
	// -c1-12
	if got, want := secret.New(value).Hash(), "ae71c4cdf5d7"; got != want {
		t.Errorf("Hash = %q, want %q", got, want)
	}
}
