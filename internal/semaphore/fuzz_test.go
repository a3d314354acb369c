package semaphore

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// model does random actions with a Keyed, and keeps its own list of the callers.
// After each action it compares the Keyed with this list.
type model struct {
	t       *testing.T
	s       *Keyed[int]
	callers []*caller // the waiting callers, in the order in which they came
}

// caller is one call of Acquire or Take.
type caller struct {
	key     int
	permits int
	cancel  context.CancelFunc
	outcome chan func() // gets the function that releases the permits, or nil for an error
	state   string      // "waits", "holds" or "gone"
	release func()
}

// acquire calls Acquire or Take, and immediately checks whether the call has to
// wait.
func (m *model) acquire(key, permits int) {
	ctx, cancel := context.WithCancel(m.t.Context())
	c := &caller{key: key, permits: permits, cancel: cancel, outcome: make(chan func(), 1), state: "waits"}
	go func() {
		release, err := m.take(ctx, key, permits)
		if err != nil {
			release = nil
		}
		c.outcome <- release
	}()
	m.callers = append(m.callers, c)
	m.settle()
}

func (m *model) take(ctx context.Context, key, permits int) (release func(), err error) {
	if permits == 1 {
		return m.s.Acquire(ctx, key)
	}
	return func() {
		m.s.Give(key, 1)
		m.s.Give(key, permits-1)
	}, m.s.Take(ctx, key, permits)
}

// most returns how many permits a caller can get if all are free.
func (m *model) most() int {
	n, b := 3, m.s.bounds
	for _, bound := range []int{b.Total, b.PerKey} {
		if bound > 0 {
			n = min(n, bound)
		}
	}
	if b.Share > 0 {
		n = min(n, max(b.Share, b.Total/2))
	}
	return n
}

func (m *model) release(c *caller) {
	c.state = "gone"
	c.cancel()
	c.release()
	m.settle()
}

func (m *model) abandon(c *caller) {
	c.cancel()
	m.settle()
	if c.state != "gone" {
		m.t.Fatal("a caller whose context has ended still waits")
	}
}

// settle finds out which callers have got a permit or given up, and calls check.
func (m *model) settle() {
	synctest.Wait()
	for _, c := range m.callers {
		select {
		case c.release = <-c.outcome:
			c.state = "holds"
			if c.release == nil {
				c.state = "gone"
			}
		default:
		}
	}
	m.callers = slices.DeleteFunc(m.callers, func(c *caller) bool { return c.state == "gone" })
	m.check()
}

// held returns how many permits a key holds. For the key -1 it returns how many all
// keys hold.
func (m *model) held(key int) (n int) {
	for _, c := range m.callers {
		if c.state == "holds" && (key < 0 || c.key == key) {
			n += c.permits
		}
	}
	return n
}

func (m *model) check() {
	b := m.s.bounds
	held := m.held(-1)
	if b.Total > 0 && held > b.Total {
		m.t.Fatalf("%d permits of %d are taken", held, b.Total)
	}
	keys, waiting := map[int]bool{}, map[int]bool{}
	for i, c := range m.callers {
		keys[c.key] = true
		mine := m.held(c.key)
		if b.PerKey > 0 && mine > b.PerKey {
			m.t.Fatalf("key %d has %d permits of %d", c.key, mine, b.PerKey)
		}
		mayHave := (b.PerKey == 0 || mine+c.permits <= b.PerKey) && (b.Total == 0 || held+c.permits <= b.Total) &&
			(b.Share == 0 || mine+c.permits <= b.Share || held+c.permits <= b.Total/2)
		if c.state == "waits" && !waiting[c.key] && mayHave {
			m.t.Fatalf("key %d waits for %d permits, though %d of its permits and %d of all are taken", c.key, c.permits, mine, held)
		}
		waiting[c.key] = waiting[c.key] || c.state == "waits"
		for _, later := range m.callers[i+1:] {
			if c.state == "waits" && later.state == "holds" && later.key == c.key {
				m.t.Fatalf("key %d: a later caller got the permit", c.key)
			}
		}
	}
	if len(m.s.keys) != len(keys) || m.s.taken != held {
		m.t.Fatalf("%d keys and %d permits are remembered, want %d and %d", len(m.s.keys), m.s.taken, len(keys), held)
	}
}

// This method returns the n-th of the callers that have the given state. n begins at
// 0. After the last of these callers, the count goes on at the first one. If no caller
// has this state, the method returns nil.
func (m *model) in(state string, n int) *caller {
	var all []*caller
	for _, c := range m.callers {
		if c.state == state {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[n%len(all)]
}

// FuzzKeyed does the actions that the bytes of data encode. It checks that
//   - no permit is lost, and no bound is exceeded,
//   - a key without permits and waiters takes no memory,
//   - nobody waits while a permit is free,
//   - nobody overtakes another caller of the same key,
//   - all permits are given back at the end, and every caller has had one.
func FuzzKeyed(f *testing.F) {
	f.Add(uint8(3), uint8(2), uint8(1), []byte("\x00\x01\x02\x00\x01\x43\x84\x00\x81\x45"))
	f.Add(uint8(0), uint8(1), uint8(0), []byte("\x00\x00\x00\x80\x40\x40\x40"))
	f.Add(uint8(8), uint8(0), uint8(2), []byte("\x00\x00\x00\x00\x00\x00\x01\x01\x01\x02\x03\x04\x40\x40\x40"))
	f.Add(uint8(9), uint8(0), uint8(3), []byte("\x0a\x0b\x05\x06\x00\x01\x0c\x40\x85\x41\x0d\x40\x80"))
	f.Fuzz(func(t *testing.T, total, perKey, share uint8, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			b := Bounds{Total: int(total % 16), PerKey: int(perKey % 8), Share: int(share % 8)}
			m := &model{t: t, s: New[int](b)}
			for _, op := range data[:min(len(data), 200)] {
				n := int(op & 0x3f)
				switch op >> 6 {
				case 0:
					m.acquire(n%5, min(1+n/5%3, m.most()))
				case 1:
					if c := m.in("holds", n); c != nil {
						m.release(c)
					}
				case 2:
					if c := m.in("waits", n); c != nil {
						m.abandon(c)
					}
				case 3:
					release, ok := m.s.TryAcquire(n % 5)
					if ok {
						release()
					}
					m.settle()
				}
			}
			for c := m.in("holds", 0); c != nil; c = m.in("holds", 0) {
				m.release(c)
			}
			if len(m.callers) > 0 || len(m.s.keys) > 0 || m.s.turns.Len() > 0 {
				t.Errorf("at the end: got %d callers, %d keys and %d turns, want none left", len(m.callers), len(m.s.keys), m.s.turns.Len())
			}
		})
	})
}
