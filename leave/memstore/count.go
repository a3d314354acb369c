package memstore

import (
	"context"
	"maps"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// Count returns how many jobs the store has. This takes the same time for any number of
// jobs.
func (s *Store) Count(_ context.Context, id matrix.UserID) (leave.Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := leave.Counts{All: len(s.jobs), ByState: map[leave.State]int{}}
	for _, state := range leave.States() {
		c.ByState[state] = 0
	}
	maps.Copy(c.ByState, s.states)
	if u := s.users[id]; u != nil {
		c.OfUser, c.LoadOfUser = u.jobs, u.weight.Load()
	}
	if h := s.servers[id.Server()]; h != nil {
		c.OfServer, c.Load = h.jobs, h.weight.Load()
	}
	return c, nil
}

// count adds the job of e to the counts if by is 1, and subtracts it if by is -1. The
// caller of count must hold the lock. This also applies to the functions below.
func (s *Store) count(e *entry, by int) {
	weight := leave.Weight(by) * e.weight
	e.owner.jobs += by
	e.owner.weight += weight
	e.owner.server.jobs += by
	e.owner.server.weight += weight
	if s.states[e.state] += by; s.states[e.state] == 0 {
		delete(s.states, e.state)
	}
	if e.occupies {
		e.room.occupied += by
	}
}

// own makes the user with the given id the owner of e's job. Before that, the caller
// must subtract the job from the counts.
func (s *Store) own(e *entry, id matrix.UserID) {
	old := e.owner
	if old != nil && old.id == id {
		return
	}
	e.owner = s.user(id)
	s.release(old)
}

func (s *Store) user(id matrix.UserID) *user {
	u := s.users[id]
	if u == nil {
		u = &user{id: id, server: s.server(id.Server())}
		u.server.users++
		s.users[id] = u
	}
	return u
}

func (s *Store) server(name matrix.ServerName) *server {
	h := s.servers[name]
	if h == nil {
		h = &server{}
		s.servers[name] = h
	}
	return h
}

// release removes the user u if u has no jobs left. It also removes u's homeserver if
// the homeserver has no users left.
func (s *Store) release(u *user) {
	if u == nil || u.jobs > 0 {
		return
	}
	delete(s.users, u.id)
	if u.server.users--; u.server.users == 0 {
		delete(s.servers, u.id.Server())
	}
}
