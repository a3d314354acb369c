package seldom_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/internal/seldom"
)

func TestDue(t *testing.T) {
	var w seldom.Warning
	at := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true}, {0, false}, {time.Minute, false}, {seldom.Every, true}, {seldom.Every + time.Minute, false}, {2 * seldom.Every, true},
	} {
		t.Run(fmt.Sprint(c.after), func(t *testing.T) {
			if got := w.Due(at.Add(c.after)); got != c.want {
				t.Errorf("Due %v after the first: got %t, want %t", c.after, got, c.want)
			}
		})
	}
}
