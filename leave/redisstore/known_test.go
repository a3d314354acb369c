package redisstore

import (
	"fmt"
	"testing"
	"time"
)

// TestOwnLastWrite checks which numbers of writes a script must find in Redis. When
// rememberWrote has passed since the last write of this process, a script must not
// check known.wrote, because Redis keeps that number only for an hour longer.
func TestOwnLastWrite(t *testing.T) {
	var l life
	l.begin("e", 100)
	now := time.Now()
	l.reached("e", 105, 103, now)
	l.reached("e", 107, 103, now.Add(time.Hour)) // since then, other processes have written four times
	l.reached("other", 500, 500, now)
	for after, want := range map[time.Duration]known{
		time.Minute:    {"e", 107, 103},
		23 * time.Hour: {"e", 107, 103},
		25 * time.Hour: {"e", 107, 0},
	} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			if got, err := l.expected(now.Add(after)); got != want || err != nil {
				t.Errorf("expected, %v after the last write: got %+v, %v, want %+v", after, got, err, want)
			}
		})
	}
	l.end("e")
	l.begin("f", 200)
	if got, err := l.expected(now); got != (known{"f", 200, 0}) || err != nil {
		t.Errorf("expected in a new epoch: got %+v, %v, want only the epoch f and its 200 writes", got, err)
	}
}
