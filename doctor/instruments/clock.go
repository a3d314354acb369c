package instruments

import (
	"maps"
	"net/http"
	"sync"
	"time"
)

// clocks records by how much the clock of each host (and port) that answered is
// ahead of this machine's.
type clocks struct {
	mu    sync.Mutex
	ahead map[string]time.Duration
}

// maxClocks bounds the hosts recorded.
const maxClocks = 64

// note compares the header Date of an answer with the times of the question and
// the answer. An answer from a cache has an old date. So of several answers of
// a host, the one with the smallest difference counts.
func (c *clocks) note(host string, header http.Header, asked, answered time.Time) {
	date, err := http.ParseTime(header.Get("Date"))
	if c == nil || err != nil || header.Get("Age") != "" {
		return
	}
	var ahead time.Duration
	switch {
	case date.After(answered):
		ahead = date.Sub(answered)
	case date.Add(time.Second).Before(asked): // Date has no fractions of a second
		ahead = date.Add(time.Second).Sub(asked)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, there := c.ahead[host]; there && before.Abs() <= ahead.Abs() || !there && len(c.ahead) >= maxClocks {
		return
	}
	c.ahead[host] = ahead
}

// Clocks returns by how much the clock of each host is ahead of this machine's.
func (n *Network) Clocks() map[string]time.Duration {
	if n.clocks == nil {
		return nil
	}
	n.clocks.mu.Lock()
	defer n.clocks.mu.Unlock()
	return maps.Clone(n.clocks.ahead)
}
