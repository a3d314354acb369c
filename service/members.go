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

// members looks up who is in a Matrix room, and removes all others from the
// SFU.
type members struct {
	server     matrix.ServerName // the homeserver that is asked
	homeserver *homeserver       // the homeserver at which this service is registered, or nil
	account    *account          // the account as which the service asks if homeserver is nil, or nil
	required   config.Requirement
	lookup     *membership.Lookup
	guard      *guard.Guard
	pushed     atomic.Pointer[time.Time] // when the homeserver last pushed a membership event
}

// newMembers returns members that ask the homeserver hs, or ask as the account
// if hs is nil. It returns nil if the service can ask no homeserver. common is the board that the replicas share.
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

// mustBeJoined reports whether users of server must be joined when they prove
// themselves by an OpenID token.
func (m *members) mustBeJoined(server matrix.ServerName) bool {
	switch m.required {
	case config.RequireEveryone:
		return true
	case config.RequireLocal:
		return server == m.server
	}
	return false
}

// pushes reports whether the homeserver pushes events. Without a registration
// it cannot.
func (m *members) pushes() bool { return m.homeserver != nil && m.homeserver.pushes() }

// changed handles an event by which somebody's membership may have changed.
func (m *members) changed(e handler.MemberEvent) {
	now := time.Now().UTC()
	m.pushed.Store(&now)
	m.guard.Changed(e.Room, e.User)
}

// start runs the guard until end is called.
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

// health returns h, with a fault added if the guard removes nobody from the
// SFU.
func (m *members) health(h handler.Health) handler.Health {
	if m.guard.Status().Braked {
		h.Degraded = append(h.Degraded, "the homeserver says that too many participants are not in their Matrix rooms, so nobody is removed from LiveKit")
	}
	if m.account != nil {
		h = m.account.health(h)
	}
	return h
}

// source returns, for /_status, the name of the question by which the
// homeserver is asked who is joined.
func (m *members) source() string {
	if m.account != nil {
		return "joined_members"
	}
	return "is_joined"
}

// status returns the part of /_status about membership.
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
