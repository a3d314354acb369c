package stack

import "sync"

// gate makes callers of pass wait while the gate is shut. The zero gate is open.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed when the gate opens; nil while the gate is open
	ended  bool
	ends   map[int]func()
	next   int
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil && !g.ended {
		g.opened = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

// pass waits until the gate is open.
func (g *gate) pass() {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	if opened != nil {
		<-opened
	}
}

// end opens the gate for ever. It calls the functions that onEnd recorded.
func (g *gate) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
	for _, end := range g.ends {
		end()
	}
}

// onEnd records a function, which the gate's method end calls. If end was
// called earlier, onEnd calls the function immediately. The function stop
// removes the record.
func (g *gate) onEnd(end func()) (stop func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		end()
		return func() {}
	}
	if g.ends == nil {
		g.ends = map[int]func(){}
	}
	id := g.next
	g.next++
	g.ends[id] = end
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.ends, id)
	}
}
