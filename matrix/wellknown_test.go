package matrix

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestWellKnownLifetime(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, 24 * time.Hour},
		{http.Header{"Cache-Control": {"public"}}, 24 * time.Hour},
		{http.Header{"Cache-Control": {"public, Max-Age=3600"}}, time.Hour},
		{http.Header{"Cache-Control": {"public", "max-age=3600"}}, time.Hour},
		{http.Header{"Cache-Control": {`max-age="3600"`}}, time.Hour},
		{http.Header{"Cache-Control": {"max-age=0"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=-1"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=soon"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=9223372036854775807"}}, 48 * time.Hour},
		{http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, 48 * time.Hour},
		{http.Header{"Cache-Control": {"max-age=86400, no-store"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"no-store, max-age=86400"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=3600, max-age=7200"}}, time.Hour},
		{http.Header{"Cache-Control": {"no-cache"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=3600"}, "Expires": {"0"}}, time.Hour},
		{http.Header{"Expires": {"Sun, 01 Nov 2026 14:00:00 GMT"}}, 2 * time.Hour},
		{http.Header{"Expires": {"Sun, 01 Nov 2025 14:00:00 GMT"}}, 5 * time.Minute},
		{http.Header{"Expires": {"Sun, 01 Nov 2099 14:00:00 GMT"}}, 48 * time.Hour},
		{http.Header{"Expires": {"0"}}, 5 * time.Minute},
	} {
		t.Run(fmt.Sprint(c.header), func(t *testing.T) {
			if got := wellKnownLifetime(c.header, now); got != c.want {
				t.Errorf("%v: %v, want %v", c.header, got, c.want)
			}
		})
	}
}

func TestAbsentRetryBacksOff(t *testing.T) {
	want := []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour}
	for i, w := range want {
		t.Run(fmt.Sprintf("after %d", i+1), func(t *testing.T) {
			if got := absentRetry(i + 1); got != w {
				t.Errorf("after %d: %v, want %v", i+1, got, w)
			}
		})
	}
	if got := absentRetry(1 << 40); got != time.Hour {
		t.Errorf("after 1<<40: got %v, want 1 h", got)
	}
}

func FuzzWellKnown(f *testing.F) {
	f.Add([]byte(`{"m.server":"b.test:443"}`), "max-age=60", "Sun, 01 Nov 2026 14:00:00 GMT")
	f.Add([]byte(`{"m.server":{}}`), "max-age", "")
	f.Add([]byte(`[`), ",,=", "x")
	f.Fuzz(func(t *testing.T, body []byte, cacheControl, expires string) {
		name, err := parseWellKnown(body)
		if (err == nil) == name.IsZero() {
			t.Errorf("parseWellKnown(%q): got %v, %v, want a name or an error", body, name, err)
		}
		header := http.Header{"Cache-Control": {cacheControl}, "Expires": {expires}}
		if d := wellKnownLifetime(header, time.Now()); d < minWellKnown || d > maxWellKnown {
			t.Errorf("wellKnownLifetime(%v): got %v, want %v to %v", header, d, minWellKnown, maxWellKnown)
		}
	})
}
