package redisstore

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/redisurl"
)

// The millisecond in which the limit is, is too late: it may be over.
func TestLateInTheLastMillisecond(t *testing.T) {
	server := miniredis.RunT(t)
	now := time.Now().Truncate(time.Millisecond)
	server.SetTime(now)
	s, err := Open(t.Context(), Options{URL: redisurl.Must("redis://" + server.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, sc := range []script{countScript, beginScript} {
		for limit, late := range map[time.Duration]bool{-time.Millisecond: true, 0: true, time.Millisecond: false} {
			r, err := s.run(t.Context(), sc, nil, []any{now.Add(limit).UnixMilli(), "epoch", "0", "user", "server"})
			if err != nil || (r.status == statusLate) != late {
				t.Errorf("run %v before its limit: %q, %v, want late: %v (%.40q)", limit, r.status, err, late, sc().source)
			}
		}
	}
}
