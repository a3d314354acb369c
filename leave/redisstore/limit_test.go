package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/redisurl"
)

// TestLateInTheLastMillisecond runs a script in the same millisecond in which its time
// limit ends. The script must do nothing, because the limit may already be over.
func TestLateInTheLastMillisecond(t *testing.T) {
	server := miniredis.RunT(t)
	now := time.Now().Truncate(time.Millisecond)
	server.SetTime(now)
	s, err := Open(t.Context(), Options{URL: redisurl.Must("redis://" + server.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, sc := range map[string]script{"count": countScript, "begin": beginScript} {
		for limit, late := range map[time.Duration]bool{-time.Millisecond: true, 0: true, time.Millisecond: false} {
			t.Run(fmt.Sprintf("%s %v before its limit", name, limit), func(t *testing.T) {
				r, err := s.run(t.Context(), sc, nil, []any{now.Add(limit).UnixMilli(), "epoch", "0", "user", "server"})
				if err != nil || (r.status == statusLate) != late {
					t.Errorf("the script %s, run %v before its limit: got the status %q, %v, want \"late\": %v", name, limit, r.status, err, late)
				}
			})
		}
	}
}
