package guard

import (
	"sync"
	"time"
)

// changes records about which persons an event came lately. A no to a question
// that began before the event may be outdated. It has two generations of at
// most maxOrders each. The zero value is ready.
type changes struct {
	mu         sync.Mutex
	young, old map[person]time.Time
	turned     time.Time // when young was started
}

func (c *changes) note(p person, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || now.Sub(c.turned) > maxAge || len(c.young) >= maxOrders {
		c.old, c.young, c.turned = c.young, map[person]time.Time{}, now
	}
	c.young[p] = now
}

// after reports whether an event about p came after asked.
func (c *changes) after(p person, asked time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.young[p].After(asked) || c.old[p].After(asked)
}
