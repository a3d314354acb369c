package service

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership"
	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/membership/ticket"
)

// members finds out who is in a Matrix room. It removes participants from the
// SFU if they are not in the Matrix room of their call.
type members struct {
	server     matrix.ServerName // the homeserver that says who is joined
	homeserver *homeserver       // the homeserver at which this service is registered, or nil
	account    *account          // the Matrix account that reads the member lists if homeserver is nil; nil if the operator configured none
	required   config.Requirement
	lookup     *membership.Lookup
	guard      *guard.Guard
	pushed     atomic.Pointer[time.Time] // when the homeserver last pushed a membership event
}

// newMembers returns a value of the type members, which finds out who is joined
// to a room. It asks the homeserver hs, at which this service is registered. If
// hs is nil, it asks with the Matrix account from the configuration. If there
// is no account either, newMembers returns nil. common is the state of package
// guard that all replicas share.
func (s *shared) newMembers(hs *homeserver, common board) *members {
	cfg := s.cfg
	m := &members{server: cfg.HomeServer(), homeserver: hs, account: s.newAccount(), required: cfg.RequireMembership}
	switch {
	case hs != nil:
		m.lookup = membership.NewLookup(hs.api)
	case m.account != nil:
		m.lookup = membership.NewLookup(membership.NewRooms(m.account.api))
	default:
		return nil
	}
	m.guard = &guard.Guard{
		SFU: s.newSFUClient(), Members: m.lookup, Tickets: s.credentials,
		Issuer: ticket.IssuerOf(m.server),
		Board:  common, Holder: holder(), Shared: common.shared,
		Interval: cfg.MembershipInterval, Pushed: m.pushes, Unbraked: !cfg.MembershipBrake,
		Metrics: s.counters, Log: s.log,
	}
	if m.account != nil {
		m.guard.Rooms = m.lookup
	}
	return m
}

// mustBeJoined reports whether a user of server, who proves their identity with
// an OpenID token, must be joined to the Matrix room.
func (m *members) mustBeJoined(server matrix.ServerName) bool {
	switch m.required {
	case config.RequireEveryone:
		return true
	case config.RequireLocal:
		return server == m.server
	}
	return false
}

// pushes reports whether the homeserver pushes events to this service. Only a
// homeserver at which this service is registered pushes events.
func (m *members) pushes() bool { return m.homeserver != nil && m.homeserver.pushes() }

// changed handles an event that says that a user's membership may have changed.
func (m *members) changed(e handler.MemberEvent) {
	now := time.Now().UTC()
	m.pushed.Store(&now)
	m.guard.Changed(e.Room, e.User)
}

// start runs package guard, which removes participants, until the caller calls
// end.
func (m *members) start() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.guard.Run(ctx) })
	if m.account != nil {
		running.Go(func() { m.account.start(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// health adds faults to h, and returns h. It adds a fault if the brake of
// package guard is on, so that no participant is removed from the SFU. It adds
// another fault if the service has a Matrix account to ask who is joined, and the
// homeserver does not answer this account.
func (m *members) health(h handler.Health) handler.Health {
	if m.guard.Status().Braked {
		h.Degraded = append(h.Degraded, "the homeserver says that too many participants are not in their Matrix rooms, so nobody is removed from LiveKit")
	}
	if m.account != nil {
		h = m.account.health(h)
	}
	return h
}

// source returns which request the service uses to ask who is joined. /_status
// shows it.
func (m *members) source() string {
	if m.account != nil {
		return "joined_members"
	}
	return "is_joined"
}

// status returns what /_status shows of membership.
func (m *members) status() handler.MembershipStatus {
	now := m.guard.Status()
	s := handler.MembershipStatus{
		Server: m.server.String(), Source: m.source(), Required: string(m.required),
		Interval: now.Interval.Seconds(), Lag: now.Late.Seconds(), Elsewhere: now.Elsewhere, Pushed: m.pushes(), LastEvent: m.pushed.Load(),
		Persons: now.Persons, Unseen: now.Unseen, Foreign: now.Foreign, Unsealed: now.Unsealed,
		Brake: "on", Braked: now.Braked, SweepTook: now.SweepTook.Seconds(),
		Asked: now.Asked, Unknown: now.Unknown, Removed: map[string]uint64{},
		Held: now.BrakeHeld, Failed: now.Failed, Overflow: now.Overflow,
	}
	if m.account != nil {
		s.Account = m.account.status()
	}
	if m.guard.Unbraked {
		s.Brake = "off"
	}
	for why, n := range now.Removed {
		s.Removed[string(why)] = n
	}
	if began := now.SweepBegan.UTC(); !now.SweepBegan.IsZero() {
		age := time.Since(began).Seconds()
		s.LastSweep, s.SweepAge = &began, &age
	}
	if since := now.BrakedSince.UTC(); now.Braked {
		s.BrakedSince = &since
	}
	return s
}
