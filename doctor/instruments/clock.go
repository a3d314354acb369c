package instruments

import (
	"maps"
	"net/http"
	"sync"
	"time"
)

// clocks are by how much the clocks of those that answered go before this
// machine's, by the host (and port) of the address.
type clocks struct {
	mu    sync.Mutex
	ahead map[string]time.Duration
}

// maxClocks bounds the hosts whose clocks are noted.
const maxClocks = 64

// note compares the header Date of an answer with the time between the question
// and the answer. A copy that a cache kept tells an old time. Of several answers
// of a host the one counts that differs least.
func (c *clocks) note(host string, header http.Header, asked, answered time.Time) {
	date, err := http.ParseTime(header.Get("Date"))
	if c == nil || err != nil || header.Get("Age") != "" {
		return
	}
	var ahead time.Duration
	switch {
	case date.After(answered):
		ahead = date.Sub(answered)
	case date.Add(time.Second).Before(asked): // it is cut off to seconds
		ahead = date.Add(time.Second).Sub(asked)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, there := c.ahead[host]; there && before.Abs() <= ahead.Abs() || !there && len(c.ahead) >= maxClocks {
		return
	}
	c.ahead[host] = ahead
}

// Clocks returns by how much the clocks of those that have answered go before
// this machine's, by host.
func (n *Network) Clocks() map[string]time.Duration {
	if n.clocks == nil {
		return nil
	}
	n.clocks.mu.Lock()
	defer n.clocks.mu.Unlock()
	return maps.Clone(n.clocks.ahead)
}
