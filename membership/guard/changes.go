package guard

import (
	"sync"
	"time"
)

// changes remembers the persons about whom the homeserver has lately pushed an
// event, and when it did so. If the guard asked about such a person before the
// event, the answer "no" is outdated.
//
// changes keeps two maps of at most maxOrders persons. It drops the older map
// when the newer one is full or old. The zero value is ready.
type changes struct {
	mu         sync.Mutex
	young, old map[person]time.Time
	turned     time.Time // when the map young was started
}

func (c *changes) note(p person, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || now.Sub(c.turned) > maxAge || len(c.young) >= maxOrders {
		c.old, c.young, c.turned = c.young, map[person]time.Time{}, now
	}
	c.young[p] = now
}

// after reports whether the homeserver pushed an event about p since the given
// time.
func (c *changes) after(p person, asked time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.young[p].After(asked) || c.old[p].After(asked)
}
