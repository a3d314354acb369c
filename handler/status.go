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

// Health is the state of the service that /healthz shows.
type Health struct {
	// Degraded describes faults of other systems, in sentences that everybody
	// may read. The service still answers requests.
	//
	// Package service adds a sentence in each of these cases:
	//
	//   - The store of leaves or LiveKit does not answer (leaves.health).
	//   - The brake of package guard holds, so nobody is removed from the SFU (members.health).
	//   - The homeserver does not say who is joined (account.health).
	//   - The log loses lines (shared.health).
	Degraded []string
	// Stalled says that the keeper of delegated leaves has made no progress for
	// 30 s.
	Stalled bool
}

// LeaveStatus is what /_status shows of delegated leaves. It is empty if
// LIVEKIT_DELEGATION is off.
type LeaveStatus struct {
	// Offered says that the service takes over leaves, at least of some users.
	Offered bool `json:"offered"`
	// RefusedBy are servers that require authentication for requests about
	// delayed events. Only servers to which the operator gave full access are
	// listed.
	RefusedBy []string `json:"refused_by"`
	// Jobs is the number of jobs in this process's store, for each state. It is
	// nil if the store does not answer.
	Jobs map[leave.State]int `json:"jobs"`
	// Limited are servers that have answered 429 to requests about delayed
	// events. Only servers to which the operator gave full access are listed.
	Limited    []LimitedStatus `json:"limited"`
	Store      StoreStatus     `json:"store"`
	SFUAnswers bool            `json:"sfu_answers"`
}

// LimitedStatus says how often a homeserver answered 429, and when it last did
// so.
type LimitedStatus struct {
	Server string    `json:"server"`
	Count  int       `json:"count"`
	Last   time.Time `json:"last"`
}

// StoreStatus says where this process keeps leaves, and whether the store
// works.
type StoreStatus struct {
	Kind     string     `json:"kind"`  // "memory", "file" or "redis"
	State    string     `json:"state"` // "ok" or "degraded"
	Since    *time.Time `json:"since"`
	Cause    string     `json:"cause,omitempty"`
	Unmerged int        `json:"unmerged"` // how many changes are only in memory, and not yet in the store
	// SetAside is how many records in the store this process cannot read as
	// jobs.
	SetAside int `json:"set_aside"`
	// Repairs is how often the service wrote the leave file again, because
	// another program had deleted, moved or changed it. Repaired is the reason
	// for the last time.
	Repairs  int    `json:"repairs"`
	Repaired string `json:"repaired,omitempty"`
}

// LogStatus is the state of the log.
type LogStatus struct {
	Waiting int    `json:"waiting"` // how many lines are not written yet
	Dropped uint64 `json:"dropped"` // how many lines were lost since the start
	Cause   string `json:"cause,omitempty"`
}

// AppServiceStatus is what /_status shows of this service's registration at a
// homeserver.
type AppServiceStatus struct {
	Server string             `json:"server"`
	Ready  bool               `json:"ready"` // whether the last self-test passed
	Tested *time.Time         `json:"tested"`
	Checks []appservice.Check `json:"checks"`
}

// MembershipStatus is what /_status shows of enforced membership. To enforce
// membership, this service removes participants from a call if they are not in
// the Matrix room of the call. Persons counts users in Matrix rooms. Foreign
// and Unsealed count participants on the SFU that this service never removes.
//
// A sweep is one check of all participants. The numbers are from the last sweep
// of this process. While another replica makes the sweeps, these numbers are
// old.
type MembershipStatus struct {
	Server      string            `json:"server"`           // the homeserver that says who is joined
	Source      string            `json:"source"`           // the request to the homeserver: "is_joined" or "joined_members"
	Account     *AccountStatus    `json:"account"`          // the Matrix account that this service uses for these requests; null if it uses an application service
	Required    string            `json:"required"`         // the value of LIVEKIT_REQUIRE_MEMBERSHIP
	Interval    float64           `json:"interval_seconds"` // the seconds between two sweeps (checks of all participants), which can be more than configured; 0 if there are none
	Pushed      bool              `json:"pushed"`           // whether the self-test has seen that the homeserver pushes events
	LastEvent   *time.Time        `json:"last_event"`
	Persons     int               `json:"persons"`
	Unseen      int               `json:"unseen"` // how many of the persons are in Matrix rooms that the account is not in
	Foreign     int               `json:"foreign"`
	Unsealed    int               `json:"unsealed"`
	LastSweep   *time.Time        `json:"last_sweep"`
	SweepAge    *float64          `json:"sweep_age_seconds"` // the seconds since the last sweep (check of all participants) began
	SweepTook   float64           `json:"sweep_seconds"`
	Lag         float64           `json:"sweep_lag_seconds"` // by how many seconds the next sweep (check of all participants) is late: the seconds since the last one ended, minus the interval
	Elsewhere   bool              `json:"swept_elsewhere"`   // whether another replica makes the sweeps (checks of all participants)
	Brake       string            `json:"brake"`             // the value of LIVEKIT_MEMBERSHIP_BRAKE
	Braked      bool              `json:"braked"`
	BrakedSince *time.Time        `json:"braked_since"`
	Asked       uint64            `json:"asked"`
	Unknown     uint64            `json:"unknown"`
	Removed     map[string]uint64 `json:"removed"`
	Held        uint64            `json:"held"`
	Failed      uint64            `json:"failed"`
	Overflow    uint64            `json:"overflow"`
}

// AccountStatus is what /_status shows of a Matrix account. This service uses
// this account to ask the homeserver who is joined.
type AccountStatus struct {
	User    string `json:"user"` // the account's user id; "" until the homeserver has told it
	Answers bool   `json:"answers"`
	// Since is when the homeserver stopped saying who is joined. Error is the
	// reason.
	Since *time.Time `json:"since"`
	Error string     `json:"error,omitempty"`
	// Unseen counts questions that remained without an answer, because the
	// account is not in the Matrix room.
	Unseen uint64 `json:"not_in_room"`
}

const (
	routeHealth = "/healthz"
	routeStatus = "/_status"
)

// health serves /healthz for probes and load balancers. It answers 503 if the
// keeper of leaves has made no progress for 30 s (keeper.Keeper.Stalled). If
// another system is down, it answers 200 with the status degraded, because
// other replicas have the same trouble. During the shutdown, closeWhenDraining
// answers 503 instead.
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

// clientStatus is the client of a request for /_status as this service sees it.
// ViaProxy says that a trusted proxy named Address as its client. If ViaProxy is
// false, Address is the other end of the connection, which can be the proxy
// itself. Headers holds the last address in each header that may name a client.
type clientStatus struct {
	Address  netip.Addr            `json:"address"`
	ViaProxy bool                  `json:"via_trusted_proxy"`
	Headers  map[string]netip.Addr `json:"headers"`
}

// asksStatus reports whether r is a request for /_status from the operator.
// Such a request has a bearer token for the audience matrixrtc-auth-status. The
// token must be signed with the API secret and valid for at most 60 s
// (sfu.VerifyStatusToken). Any other request gets 404, as for an unknown path.
func (h *Handler) asksStatus(r *http.Request) bool {
	if r.Method != http.MethodGet || chi.RouteContext(r.Context()).RoutePath != routeStatus {
		return false
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token != "" && sfu.VerifyStatusToken(h.Webhooks.Keys, token) == nil
}

// status serves GET /_status. The answer tells the operator's tools about the
// running process, and contains no secrets.
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
	// AppService is null if this service is not registered at a homeserver.
	AppService *AppServiceStatus `json:"app_service"`
	// Membership is null if this service asks no homeserver who is joined.
	Membership *MembershipStatus `json:"membership"`
	// Homeservers are the homeservers that the operator named and that this
	// service has asked.
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
