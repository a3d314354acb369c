package pattern_test

import (
	"testing"

	"matrixrtc-auth/internal/pattern"
)

func TestNew(t *testing.T) {
	word := pattern.New(`^\w+$`)
	if !word().MatchString("abc") || word().MatchString("a b") {
		t.Errorf("%s: got matches %t for abc and %t for a b, want true and false", word(), word().MatchString("abc"), word().MatchString("a b"))
	}
	if first, second := word(), word(); first != second {
		t.Error("two calls: got two expressions, want one that is compiled once")
	}
}

func TestNewPanics(t *testing.T) {
	broken := pattern.New(`(`)
	defer func() {
		if recover() == nil {
			t.Error("the first use of (: got no panic, want one")
		}
	}()
	broken()
}
