package doctor

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"matrixrtc-auth/doctor/engine"
	sealed "matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// membershipStatus is the part of /_status that says how the service checks
// who is joined.
type membershipStatus struct {
	Server    string     `json:"server"`
	Required  string     `json:"required"`
	Interval  float64    `json:"interval_seconds"`
	Pushed    bool       `json:"pushed"`
	LastEvent *time.Time `json:"last_event"`
	Persons   int        `json:"persons"`
	Foreign   int        `json:"foreign"`
	Unsealed  int        `json:"unsealed"`
	SweepAge  *float64   `json:"sweep_age_seconds"`
	Lag       float64    `json:"sweep_lag_seconds"`
	Elsewhere bool       `json:"swept_elsewhere"`
	Brake     string     `json:"brake"`
	Braked    bool       `json:"braked"`
	Since     time.Time  `json:"braked_since"`
	// Account is the status of the account with which the service asks who is
	// joined. It is nil if an application service asks.
	Account *struct {
		User    string `json:"user"`
		Answers bool   `json:"answers"`
		Error   string `json:"error"`
	} `json:"account"`
	Unseen int `json:"unseen"`
}

// judgeMembership reports whether and how the running service removes users who
// are not joined to the Matrix room from LiveKit. These are faults:
//
//   - The brake holds, which stops all removals.
//   - The homeserver does not answer the account.
//   - Sweeps (the regular checks of everybody) are late.
//
// These are warnings:
//
//   - There are neither sweeps nor pushed events.
//   - The brake is off.
func judgeMembership(s *serviceStatus) engine.Finding {
	m := s.Membership
	if m == nil {
		return na("membership is not enforced: no homeserver says who is joined")
	}
	v, seen := engine.Vars{"server": clip(m.Server)}, m.describe(s.Webhooks.Verified)
	switch {
	case m.Braked:
		return found("membership-braked", v, "the brake holds since %s; %s", m.Since.UTC().Format(time.RFC3339), seen)
	case m.Account != nil && !m.Account.Answers:
		return found("membership-unanswered", v, "%s; %s", clip(m.Account.Error), seen)
	case m.late():
		v["late"] = seconds(m.Lag)
		return found("membership-late", v, "%s", seen)
	case m.Interval == 0 && !m.Pushed:
		return found("membership-unheard", v, "%s", seen)
	case m.Brake == "off":
		return found("membership-unbraked", v, "%s", seen)
	}
	return ok("%s", seen)
}

// late reports whether the next sweep is so late that sweeps must have stopped,
// and are not merely slow.
func (m *membershipStatus) late() bool { return m.Lag > max(m.Interval, 60) }

// describe returns a text. It says whose membership the service checks, how
// often it checks, and which events it gets.
func (m *membershipStatus) describe(webhooks uint64) string {
	return fmt.Sprintf("%s; %s; %s; %d verified webhooks have arrived since the service started", m.forWhom(), m.sweeps(), m.pushes(), webhooks)
}

func (m *membershipStatus) forWhom() string {
	whom := "membership is enforced for those who were known to be joined"
	switch m.Required {
	case "local":
		whom += ", and users of " + clip(m.Server) + " must be"
	case "on":
		whom = "membership is enforced for everyone"
	}
	if m.Account != nil {
		whom += fmt.Sprintf(", as far as the account %s sees their rooms (it does not see the rooms of %d people)", clip(m.Account.User), m.Unseen)
	}
	return fmt.Sprintf("%s (%d on LiveKit; the service does not check %d other sessions)", whom, m.Persons, m.Foreign+m.Unsealed)
}

func (m *membershipStatus) sweeps() string {
	switch {
	case m.Interval == 0:
		return "sweeps are off"
	case m.Elsewhere:
		return "another replica sweeps"
	case m.SweepAge == nil:
		return "no sweep yet"
	}
	return fmt.Sprintf("the last sweep began %s ago, there is one every %s", seconds(*m.SweepAge), seconds(m.Interval))
}

func (m *membershipStatus) pushes() string {
	switch {
	case !m.Pushed:
		return "the homeserver pushes no events"
	case m.LastEvent == nil:
		return "events are pushed, none of a membership yet"
	}
	return "events are pushed, the last of a membership at " + m.LastEvent.UTC().Format(time.RFC3339)
}

func seconds(n float64) string {
	return time.Duration(n * float64(time.Second)).Round(time.Second).String()
}

// ownMetadata checks whether access tokens let participants change their
// metadata, and so remove their tickets. A ticket tells this service who the
// participant is.
func (e settings) ownMetadata(context.Context) engine.Finding {
	if w := e.warningsFor("config.own_metadata"); len(w) > 0 {
		return found("own-metadata", nil, "%s", w)
	}
	if e.look.Config.CanUpdateOwnMetadata {
		return found("own-metadata", nil, "LIVEKIT_CAN_UPDATE_OWN_METADATA is true")
	}
	return ok("participants cannot change what their tokens say of them")
}

// ticketBytes is the size of the attribute with the longest ticket. LiveKit
// counts the bytes of the attribute's name and of its value.
const ticketBytes = len(sfu.TicketAttribute) + sealed.MaxBytes

// judgeAttributes checks whether LiveKit accepts tokens with tickets. LiveKit
// accepts them if its limit for attributes is large enough. The default limit
// is 64 KiB. 0 means that there is no limit.
func judgeAttributes(c *livekitConfig) engine.Finding {
	limit := c.Limit.MaxAttributesSize
	switch {
	case limit == nil:
		return ok("limit.max_attributes_size is not set")
	case *limit != 0 && *limit < ticketBytes:
		return found("livekit-attributes-small", engine.Vars{"bytes": strconv.Itoa(ticketBytes)},
			"limit.max_attributes_size is %d, a ticket takes up to %d", *limit, ticketBytes)
	}
	return ok("limit.max_attributes_size is %d", *limit)
}
