package instruments

import (
	"maps"
	"net/http"
	"sync"
	"time"
)

// clocks records the clocks of the servers that answered. For each host (and
// port), it holds by how much that clock is ahead of this machine's clock.
type clocks struct {
	mu    sync.Mutex
	ahead map[string]time.Duration
}

// maxClocks bounds the number of hosts in clocks.
const maxClocks = 64

// note computes how much the answering host's clock is ahead. It uses the
// header Date of the answer, and the times of the request and the answer. An
// answer from a cache has an old date, so of several answers the one with the
// smallest difference counts.
func (c *clocks) note(host string, header http.Header, asked, answered time.Time) {
	date, err := http.ParseTime(header.Get("Date"))
	if c == nil || err != nil || header.Get("Age") != "" {
		return
	}
	var ahead time.Duration
	switch {
	case date.After(answered):
		ahead = date.Sub(answered)
	case date.Add(time.Second).Before(asked): // Date has whole seconds only
		ahead = date.Add(time.Second).Sub(asked)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, there := c.ahead[host]; there && before.Abs() <= ahead.Abs() || !there && len(c.ahead) >= maxClocks {
		return
	}
	c.ahead[host] = ahead
}

// Clocks returns for each host that has answered by how much its clock is ahead of
// this machine's clock.
func (n *Network) Clocks() map[string]time.Duration {
	if n.clocks == nil {
		return nil
	}
	n.clocks.mu.Lock()
	defer n.clocks.mu.Unlock()
	return maps.Clone(n.clocks.ahead)
}
