package keeper_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
)

// TestCreatedAgainIsLogged checks that the debug log says which room the keeper has
// created again.
func TestCreatedAgainIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		log := w.logs(slog.LevelDebug)
		time.Sleep(10 * time.Second)
		w.sfuRestart()
		time.Sleep(300 * time.Millisecond)
		w.stop()
		<-w.ended
		if line := `level=DEBUG msg="leave: room created again" room=room`; strings.Count(log.String(), line) != 1 {
			t.Errorf("log: want %s once, got\n%s", line, log.String())
		}
	})
}

// logs starts a new keeper in place of the running one, and returns the log of the new
// keeper. The log is complete when that keeper has ended.
func (w *world) logs(level slog.Level) *bytes.Buffer {
	var log bytes.Buffer
	w.stop()
	<-w.ended
	w.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))
	w.start()
	return &log
}

// TestClaimIsLogged checks that the debug log names each claimed job and its user.
func TestClaimIsLogged(t *testing.T) {
	for _, c := range []struct {
		level slog.Level
		want  bool
	}{{slog.LevelDebug, true}, {slog.LevelInfo, false}} {
		t.Run(c.level.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				log := w.logs(c.level)
				w.delegate("d1", long)
				time.Sleep(time.Second)
				w.stop()
				<-w.ended
				id, err := matrix.ParseDelayID("d1")
				if err != nil {
					t.Fatal(err)
				}
				line := `msg="leave: job claimed" room=room identity=alice user=@alice:example.org delay_hash=` + id.Hash() + ` state=waiting`
				if strings.Contains(log.String(), line) != c.want {
					t.Errorf("at level %s: log: want %s in it: %t, got\n%s", c.level, line, c.want, log.String())
				}
			})
		})
	}
}
