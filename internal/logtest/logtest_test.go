package logtest_test

import (
	"slices"
	"sync"
	"testing"

	"matrixrtc-auth/internal/logtest"
)

func TestLog(t *testing.T) {
	var log logtest.Log
	var writing sync.WaitGroup
	for range 2 {
		writing.Go(func() { log.Logger().Warn("one one") })
	}
	writing.Go(func() { log.Logger().Debug("not written") })
	writing.Wait()
	if n, has := log.Count("one"), log.Has("not written"); n != 2 || has {
		t.Errorf("two lines with “one one”: got the count %d and %v for another text, want 2 and false:\n%s", n, has, &log)
	}
	log.Reset()
	if lines := log.Lines(); len(lines) > 0 {
		t.Errorf("after Reset: got %q, want no lines", lines)
	}
	for _, line := range []string{"a\n", "b\n"} {
		if _, err := log.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if lines, text := log.Lines(), log.String(); !slices.Equal(lines, []string{"a", "b"}) || text != "a\nb\n" {
		t.Errorf("after the lines a and b: got %q and %q, want both", lines, text)
	}
}
