package testlink

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
)

var (
	ours   = sfu.Key{ID: "ours", Secret: secret.New(strings.Repeat("s", 32))}
	former = sfu.Key{ID: "former", Secret: secret.New(strings.Repeat("f", 32))}
	theirs = sfu.Key{ID: "ours", Secret: secret.New(strings.Repeat("t", 32))}
)

// This is the present time for all tests.
var at = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func seal(t *testing.T, k Key, with sfu.Key) string {
	t.Helper()
	text, err := k.Seal(with)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSealAndOpen(t *testing.T) {
	made := New(at.Add(10 * time.Minute))
	if !regexp.MustCompile(`^doctor-[0-9a-f]{16}$`).MatchString(string(made.Room)) {
		t.Errorf("room %q, want doctor- and 16 hexadecimal digits", made.Room)
	}
	if other := New(at); other.Room == made.Room {
		t.Errorf("two links: got the room %s of both, want two", made.Room)
	}
	for name, with := range map[string]sfu.Key{"first": ours, "former": former} {
		t.Run(name, func(t *testing.T) {
			text := seal(t, made, with)
			if len(text) != Length || Length > 45 || strings.ContainsAny(text, "#+/=") {
				t.Errorf("sealed: %q has %d characters, want %d that need no escape", text, len(text), Length)
			}
			got, err := Open(text, []sfu.Key{ours, former}, at)
			if err != nil || got.Room != made.Room || !got.Expires.Equal(made.Expires) {
				t.Errorf("opened: %v, %v; want %v", got, err, made)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	good := seal(t, New(at.Add(time.Minute)), ours)
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	changed := func(i int) string {
		other := append([]byte{}, raw...)
		other[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(other)
	}
	for name, test := range map[string]struct {
		text string
		keys []sfu.Key
		now  time.Time
		want error
	}{
		"nothing":              {"", []sfu.Key{ours}, at, ErrForged},
		"another secret":       {good, []sfu.Key{theirs}, at, ErrForged},
		"no secret":            {good, nil, at, ErrForged},
		"another room":         {changed(0), []sfu.Key{ours}, at, ErrForged},
		"a later end":          {changed(roomBytes), []sfu.Key{ours}, at, ErrForged},
		"another proof":        {changed(len(raw) - 1), []sfu.Key{ours}, at, ErrForged},
		"cut off":              {good[:len(good)-1], []sfu.Key{ours}, at, ErrForged},
		"longer":               {good + "A", []sfu.Key{ours}, at, ErrForged},
		"no base64":            {strings.Repeat("#", Length), []sfu.Key{ours}, at, ErrForged},
		"forged and over":      {changed(0), []sfu.Key{ours}, at.Add(time.Hour), ErrForged},
		"at its end":           {good, []sfu.Key{ours}, at.Add(time.Minute), ErrExpired},
		"a second before":      {good, []sfu.Key{ours}, at.Add(59 * time.Second), nil},
		"another form of good": {good[:len(good)-1] + string(good[len(good)-1]+1), []sfu.Key{ours}, at, ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(test.text, test.keys, test.now); !errors.Is(err, test.want) {
				t.Errorf("Open(%q): %v, want %v", test.text, err, test.want)
			}
		})
	}
}

// TestSealRefuses checks that Seal makes keys only for rooms of the connection
// test, so that nobody can use a link to enter a call.
func TestSealRefuses(t *testing.T) {
	for _, room := range []sfu.Room{"", "doctor-", "doctor-0123456789abcde", "doctor-0123456789ABCDEF", "doctor-0123456789abcdef0", "call", "doctor-xyzxyzxyzxyzxyzx"} {
		t.Run(fmt.Sprintf("%q", room), func(t *testing.T) {
			if text, err := (Key{Room: room, Expires: at}).Seal(ours); err == nil {
				t.Errorf("the room %q has the key %q: got no error, want one", room, text)
			}
		})
	}
	if _, err := (Key{Room: New(at).Room, Expires: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}).Seal(ours); err == nil {
		t.Error("a key ends in the year 2200, which does not fit into it: got no error, want one")
	}
}

func FuzzOpen(f *testing.F) {
	good, _ := New(at.Add(time.Minute)).Seal(ours)
	f.Add(good)
	f.Add(strings.Repeat("A", Length))
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Open(text, []sfu.Key{ours}, at); err == nil && text != good {
			t.Errorf("Open(%q): got no error, want one for everything but %q", text, good)
		}
	})
}
