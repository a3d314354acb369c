package redisstore

import (
	"fmt"
	"testing"
	"time"
)

// TestOwnLastWrite: it has to be found while the server keeps it for certain.
func TestOwnLastWrite(t *testing.T) {
	var l life
	l.begin("e", 100)
	now := time.Now()
	l.reached("e", 105, 103, now)
	l.reached("e", 107, 103, now.Add(time.Hour)) // others have written
	l.reached("other", 500, 500, now)
	for after, want := range map[time.Duration]known{
		time.Minute:    {"e", 107, 103},
		23 * time.Hour: {"e", 107, 103},
		25 * time.Hour: {"e", 107, 0},
	} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			if got, err := l.expected(now.Add(after)); got != want || err != nil {
				t.Errorf("%v after it: %+v, %v, want %+v", after, got, err, want)
			}
		})
	}
	l.end("e")
	l.begin("f", 200)
	if got, err := l.expected(now); got != (known{"f", 200, 0}) || err != nil {
		t.Errorf("in a new life: %+v, %v, want nothing of the one before", got, err)
	}
}
