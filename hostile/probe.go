//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// probe requests tokens for users of the named server at a steady rate, like
// people who have nothing to do with the attack.
type probe struct {
	mu       sync.Mutex
	took     []time.Duration // the times of all requests, in the order in which they ended
	failures []string
}

const (
	probeEvery       = 20 * time.Millisecond
	probeUsers       = 1000 // so many users that none of them reaches the rate limit of one user
	probeConnections = 8    // the number of connections to the service, as from a reverse proxy
)

// run sends requests at a steady rate until ctx ends. If every connection is in
// use, a request waits. The measured time of the request includes this wait.
func (p *probe) run(ctx context.Context) {
	connections := make(chan *connection, probeConnections)
	for range probeConnections {
		connections <- &connection{local: "127.0.0.1"}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case due := <-tick.C:
			wg.Go(func() {
				l := <-connections
				defer func() { connections <- l }()
				user := fmt.Sprintf("u%d", i%probeUsers)
				status, err := l.ask(ctx, tokenRequest(namedServer, user, fmt.Sprintf("198.51.100.%d", i%250)), 0)
				if ctx.Err() == nil {
					p.note(time.Since(due), status, err)
				}
			})
		}
	}
}

func (p *probe) note(took time.Duration, status int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, took)
	if err != nil || status != 200 {
		p.failures = append(p.failures, fmt.Sprintf("status %d, %v", status, err))
	}
}

// mark is a moment of the run. In the probe's list of times, the requests that
// ended after this moment begin at index n.
type mark struct {
	n  int // how many requests had ended at the time in the field at
	at time.Time
}

func (p *probe) mark() mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	return mark{len(p.took), time.Now()}
}

// since returns the times of the requests that ended after m.
func (p *probe) since(m mark) times {
	p.mu.Lock()
	took := slices.Sorted(slices.Values(p.took[m.n:]))
	p.mu.Unlock()
	t := times{n: len(took), within: time.Since(m.at)}
	if t.n > 0 {
		t.p50, t.p99 = took[t.n/2], took[t.n*99/100]
	}
	return t
}

// failed returns the number of failed requests, and why the first one failed.
func (p *probe) failed() (n int, first string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.failures) > 0 {
		first = p.failures[0]
	}
	return len(p.failures), first
}
