package outbound

import (
	"container/list"
	"crypto/tls"
	"sync"
	"time"
)

// Sessions is a [tls.ClientSessionCache] for named servers. It must not be used
// for strangers' servers: a session keeps the certificates that the server sent,
// so strangers could decide how much memory it takes. The number of sessions is
// bounded, and Sessions removes each one when its lifetime ends. The zero value
// is ready. The fields must not change after the first use.
type Sessions struct {
	// Max bounds the number of sessions. Zero means 64. At the bound, a new
	// session replaces the oldest.
	Max int
	// Lifetime is how long Sessions keeps a session. Zero means 10 min.
	Lifetime time.Duration

	mu      sync.Mutex
	servers map[string]*list.Element // maps each server to its element in the field order
	order   list.List                // all sessions; the oldest is in front
	sweep   *time.Timer              // removes expired sessions; nil if there are no sessions
}

const (
	defaultMaxSessions     = 64
	defaultSessionLifetime = 10 * time.Minute
)

type session struct {
	server string
	state  *tls.ClientSessionState
	ends   time.Time
}

// Get implements [tls.ClientSessionCache].
func (s *Sessions) Get(server string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.servers[server]
	if !ok || !time.Now().Before(e.Value.(session).ends) {
		return nil, false
	}
	return e.Value.(session).state, true
}

// Put implements [tls.ClientSessionCache]. If state is nil, Put removes the
// session of server.
func (s *Sessions) Put(server string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.servers[server]; ok {
		s.remove(e)
	}
	if state == nil {
		return
	}
	if s.order.Len() >= orDefault(s.Max, defaultMaxSessions) {
		s.remove(s.order.Front())
	}
	if s.servers == nil {
		s.servers = make(map[string]*list.Element)
	}
	lifetime := orDefault(s.Lifetime, defaultSessionLifetime)
	s.servers[server] = s.order.PushBack(session{server, state, time.Now().Add(lifetime)})
	if s.sweep == nil {
		s.sweep = time.AfterFunc(lifetime, s.expire)
	}
}

// expire removes the sessions whose lifetime has ended. It runs again when the
// lifetime of the next session ends.
func (s *Sessions) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.order.Front(); e != nil; e = s.order.Front() {
		if left := time.Until(e.Value.(session).ends); left > 0 {
			s.sweep.Reset(left)
			return
		}
		s.remove(e)
	}
	s.sweep = nil
}

// remove removes a session. The caller holds s.mu.
func (s *Sessions) remove(e *list.Element) {
	delete(s.servers, e.Value.(session).server)
	s.order.Remove(e)
}
