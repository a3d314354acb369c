package service

import (
	"log/slog"
	"slices"
	"sync/atomic"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix"
)

// homeserver is the homeserver at which this service is registered as an
// application service.
type homeserver struct {
	server matrix.ServerName
	api    *matrix.AppService
	test   appservice.SelfTest
	log    *slog.Logger

	last atomic.Pointer[appservice.Result] // the result of the last self-test; nil before the first one
}

// newHomeserver returns the homeserver at which this service is registered, or
// nil if there is none. events is nil if delegation is off.
func (s *shared) newHomeserver(events *matrix.DelayedEvents) *homeserver {
	cfg, log := s.cfg, s.log
	as := cfg.AppService
	if as == nil {
		return nil
	}
	h := &homeserver{server: as.Server, log: log, api: &matrix.AppService{
		Server: as.Server, Token: as.ASToken,
		APIs: &matrix.ClientAPIs{Overrides: cfg.ClientURLs, Servers: s.newServers()},
	}}
	h.test = appservice.SelfTest{Homeserver: h.api, HSToken: as.HSToken, PushID: as.PushID}
	if events == nil {
		log.Warn("application service: delegation is off, but clients that get their token through their homeserver do not learn this: " +
			"they schedule their leave for an hour, so a member whose client vanishes stays in the call for an hour; set LIVEKIT_DELEGATION=on")
		return h
	}
	h.test.Events = events
	events.AppService = h.api
	events.NotOwner = func(owner matrix.UserID, err error) {
		log.Warn("leave: the homeserver does not let this service manage delayed events in the name of their owner; "+
			"namespaces.users of the registration file must match all users of the homeserver", "user", owner.String(), "err", err)
	}
	return h
}

// endpoints returns the part of the handler that serves the homeserver's
// requests.
func (h *homeserver) endpoints(cfg *config.Config, m *members) *handler.AppService {
	return &handler.AppService{
		HSToken: cfg.AppService.HSToken, Server: h.server,
		IsSFU:   handler.OneOf(append([]string{cfg.LivekitURL}, cfg.URLAliases...)...),
		Status:  h.status,
		Members: m.changed,
		Missed:  m.guard.Missed,
	}
}

// pushes reports whether the last self-test has seen that the homeserver pushes
// events to this service.
func (h *homeserver) pushes() bool {
	last := h.last.Load()
	return last != nil && slices.ContainsFunc(last.Checks, func(c appservice.Check) bool {
		return c.Part == appservice.PartPush && c.OK
	})
}

// status returns what /_status shows of the homeserver.
func (h *homeserver) status() handler.AppServiceStatus {
	s := handler.AppServiceStatus{Server: h.server.String(), Checks: []appservice.Check{}}
	if last := h.last.Load(); last != nil {
		s.Ready, s.Tested, s.Checks = last.Ready(), &last.At, last.Checks
	}
	return s
}
