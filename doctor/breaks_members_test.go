package doctor_test

import (
	"time"

	"matrixrtc-auth/handler"
)

// enforcing makes the service report that it removes people who are not joined
// (that it enforces membership). The reported status shows no fault, except
// what the function change writes into it.
func enforcing(change func(*handler.MembershipStatus)) func(*stack) {
	return func(s *stack) {
		age, at := 12.0, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		m := handler.MembershipStatus{
			Server: apexHost, Required: "local", Interval: 30, Pushed: true, LastEvent: &at,
			Persons: 7, Foreign: 1, Unsealed: 2, SweepAge: &age, Brake: "on", BrakedSince: &at,
		}
		change(&m)
		s.service = func(h *handler.Handler) { h.MembershipStatus = func() handler.MembershipStatus { return m } }
	}
}

var memberBreaks = map[string]func(*stack){
	"livekit-attributes-small": replace("port: 7880\n", "port: 7880\nlimit: {max_attributes_size: 815}\n"),
	"own-metadata":             set("LIVEKIT_CAN_UPDATE_OWN_METADATA", "true"),
	"membership-braked":        enforcing(func(m *handler.MembershipStatus) { m.Braked = true }),
	"membership-unanswered": enforcing(func(m *handler.MembershipStatus) {
		m.Account = &handler.AccountStatus{User: "@rtc:" + apexHost, Error: "the access token is refused: status 401"}
	}),
	"membership-late":     enforcing(func(m *handler.MembershipStatus) { m.Lag = 61 }),
	"membership-unheard":  enforcing(func(m *handler.MembershipStatus) { m.Interval, m.Pushed = 0, false }),
	"membership-unbraked": enforcing(func(m *handler.MembershipStatus) { m.Brake = "off" }),
}
