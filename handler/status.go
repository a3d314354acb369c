package handler

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// Health is how the service does.
type Health struct {
	// Degraded says what around the service fails, in sentences that everybody
	// may read. Requests are answered all the same.
	Degraded []string
	// Stalled: the keeper of delegated leaves makes no progress.
	Stalled bool
}

// LeaveStatus is what /_status tells of delegated leaves; nothing of it is set
// while LIVEKIT_DELEGATION is off.
type LeaveStatus struct {
	// Offered: somebody's leave would be taken over.
	Offered bool `json:"offered"`
	// RefusedBy are those servers with full access that ask for authentication.
	RefusedBy []string `json:"refused_by"`
	// Jobs are those of this store by their state, nil if it does not say.
	Jobs map[leave.State]int `json:"jobs"`
	// Limited are those servers with full access that have answered 429 to
	// requests about delayed events.
	Limited    []LimitedStatus `json:"limited"`
	Store      StoreStatus     `json:"store"`
	SFUAnswers bool            `json:"sfu_answers"`
}

// LimitedStatus says how often a homeserver has answered 429, and when last.
type LimitedStatus struct {
	Server string    `json:"server"`
	Count  int       `json:"count"`
	Last   time.Time `json:"last"`
}

// StoreStatus says where leaves are kept.
type StoreStatus struct {
	Kind     string     `json:"kind"`  // "memory", "file" or "redis"
	State    string     `json:"state"` // "ok" or "degraded"
	Since    *time.Time `json:"since"`
	Cause    string     `json:"cause,omitempty"`
	Unmerged int        `json:"unmerged"` // changes that only memory knows
	// SetAside is how many records this process has found that were no jobs.
	SetAside int `json:"set_aside"`
	// Repairs is how often others have deleted, moved or changed the file, so
	// that it was written anew; Repaired is what they had done last.
	Repairs  int    `json:"repairs"`
	Repaired string `json:"repaired,omitempty"`
}

// LogStatus says how the log does.
type LogStatus struct {
	Waiting int    `json:"waiting"` // lines that are not written yet
	Dropped uint64 `json:"dropped"` // lines that were lost since the start
	Cause   string `json:"cause,omitempty"`
}

// AppServiceStatus is what /_status tells of the registration at a homeserver.
type AppServiceStatus struct {
	Server string             `json:"server"`
	Ready  bool               `json:"ready"` // the last self-test passed
	Tested *time.Time         `json:"tested"`
	Checks []appservice.Check `json:"checks"`
}

// MembershipStatus is what /_status tells of enforced membership. Persons are
// users in Matrix rooms; Foreign and Unsealed are sessions on the SFU that are let
// be. What sweeps see is of this process: old while another replica sweeps.
type MembershipStatus struct {
	Server      string            `json:"server"`           // that is asked
	Source      string            `json:"source"`           // by what: "is_joined" or "joined_members"
	Account     *AccountStatus    `json:"account"`          // as whom, null for an application service
	Required    string            `json:"required"`         // LIVEKIT_REQUIRE_MEMBERSHIP
	Interval    float64           `json:"interval_seconds"` // as it is stretched; 0 for no sweeps
	Pushed      bool              `json:"pushed"`           // the self-test has seen that events are
	LastEvent   *time.Time        `json:"last_event"`
	Persons     int               `json:"persons"`
	Unseen      int               `json:"unseen"` // of them, in rooms that the account is not in
	Foreign     int               `json:"foreign"`
	Unsealed    int               `json:"unsealed"`
	LastSweep   *time.Time        `json:"last_sweep"`
	SweepAge    *float64          `json:"sweep_age_seconds"` // since it began
	SweepTook   float64           `json:"sweep_seconds"`
	Lag         float64           `json:"sweep_lag_seconds"` // how much longer ago than the interval it ended
	Elsewhere   bool              `json:"swept_elsewhere"`   // by another replica
	Brake       string            `json:"brake"`             // LIVEKIT_MEMBERSHIP_BRAKE
	Braked      bool              `json:"braked"`
	BrakedSince *time.Time        `json:"braked_since"`
	Asked       uint64            `json:"asked"`
	Unknown     uint64            `json:"unknown"`
	Removed     map[string]uint64 `json:"removed"`
	Held        uint64            `json:"held"`
	Failed      uint64            `json:"failed"`
	Overflow    uint64            `json:"overflow"`
}

// AccountStatus is what /_status tells of the account that asks who is joined.
type AccountStatus struct {
	User    string `json:"user"` // "" until the homeserver has said it
	Answers bool   `json:"answers"`
	// Since and Error are of the time in which the homeserver does not say who is
	// joined.
	Since *time.Time `json:"since"`
	Error string     `json:"error,omitempty"`
	// Unseen counts the questions about rooms that the account is not in.
	Unseen uint64 `json:"not_in_room"`
}

const (
	routeHealth = "/healthz"
	routeStatus = "/_status"
)

// health answers probes and load balancers. An outage elsewhere is no reason
// to send clients away; a keeper that hangs is.
func (h *Handler) health(w http.ResponseWriter, r *http.Request) {
	now := h.healthNow()
	if now.Stalled {
		fail(w, r, errStalled)
		return
	}
	body, err := json.Marshal(healthDocument{now.word(), now.Degraded, h.Version})
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// healthDocument is the answer of /healthz.
type healthDocument struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
	Version string   `json:"version"`
}

func (now Health) word() string {
	switch {
	case now.Stalled:
		return "stalled"
	case len(now.Degraded) > 0:
		return "degraded"
	}
	return "ok"
}

// clientStatus is how the caller of /_status looks from here. ViaProxy says that
// a trusted proxy told the address, which may be the proxy's own. Headers are
// the last address in each header that can tell it.
type clientStatus struct {
	Address  netip.Addr            `json:"address"`
	ViaProxy bool                  `json:"via_trusted_proxy"`
	Headers  map[string]netip.Addr `json:"headers"`
}

// asksStatus reports whether the request is one for /_status by somebody who
// holds an API key. Nobody else may learn that there is such a route.
func (h *Handler) asksStatus(r *http.Request) bool {
	if r.Method != http.MethodGet || chi.RouteContext(r.Context()).RoutePath != routeStatus {
		return false
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token != "" && sfu.VerifyStatusToken(h.Webhooks.Keys, token) == nil
}

// status is GET /_status: what the operator's tools need to know of the
// process that runs. It holds no secrets.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(w)
	x.route = routeStatus
	now := h.healthNow()
	body, err := json.Marshal(statusDocument{
		Version:  h.Version,
		Status:   now.word(),
		Reasons:  now.Degraded,
		Log:      h.logNow(),
		Client:   clientStatus{x.client, x.told, h.Proxies.nearest(r.Header)},
		Webhooks: h.received.status(),
		Leaves:   h.leavesNow(r.Context()),

		AppService:  h.appServiceNow(),
		Membership:  h.membershipNow(),
		Homeservers: h.homeserversNow(),
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// statusDocument is the answer of /_status.
type statusDocument struct {
	Version  string        `json:"version"`
	Status   string        `json:"status"`
	Reasons  []string      `json:"reasons,omitempty"`
	Log      LogStatus     `json:"log"`
	Client   clientStatus  `json:"client"`
	Webhooks webhookStatus `json:"webhooks"`
	Leaves   LeaveStatus   `json:"leaves"`
	// AppService is null while the service is registered nowhere.
	AppService *AppServiceStatus `json:"app_service"`
	// Membership is null while no homeserver says who is joined.
	Membership *MembershipStatus `json:"membership"`
	// Homeservers are the named ones that were asked.
	Homeservers []homeserverStatus `json:"homeservers"`
}

func (h *Handler) healthNow() Health {
	if h.Health == nil {
		return Health{}
	}
	return h.Health()
}

func (h *Handler) logNow() LogStatus {
	if h.LogStatus == nil {
		return LogStatus{}
	}
	return h.LogStatus()
}

func (h *Handler) leavesNow(ctx context.Context) LeaveStatus {
	if h.Leaves == nil {
		return LeaveStatus{}
	}
	s := h.Leaves(ctx)
	s.Offered = h.Access.Delegation.Offered()
	return s
}

func (h *Handler) appServiceNow() *AppServiceStatus {
	if h.AppService == nil || h.AppService.Status == nil {
		return nil
	}
	s := h.AppService.Status()
	return &s
}

func (h *Handler) membershipNow() *MembershipStatus {
	if h.MembershipStatus == nil {
		return nil
	}
	s := h.MembershipStatus()
	return &s
}
