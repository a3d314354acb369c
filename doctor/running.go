package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
)

// serviceStatus is the part of /_status that the checks read.
type serviceStatus struct {
	Version string   `json:"version"`
	Status  string   `json:"status"`
	Reasons []string `json:"reasons"` // why the service says that it is degraded
	Log     struct {
		Waiting int    `json:"waiting"`
		Dropped uint64 `json:"dropped"` // how many log lines were lost since the service started
		Cause   string `json:"cause"`
	} `json:"log"`
	Client struct {
		Address  netip.Addr            `json:"address"`
		ViaProxy bool                  `json:"via_trusted_proxy"`
		Headers  map[string]netip.Addr `json:"headers"` // the client's address in each header; the keys are the names of the headers
	} `json:"client"`
	Webhooks struct {
		Verified uint64            `json:"verified"`
		Rejected map[string]uint64 `json:"rejected"`
		Rooms    []string          `json:"recent_rooms"`
	} `json:"webhooks"`
	Homeservers []homeserverStatus `json:"homeservers"`
	Leaves      struct {
		Offered   bool           `json:"offered"`
		RefusedBy []string       `json:"refused_by"`
		Jobs      map[string]int `json:"jobs"`
		Limited   []struct {
			Server string    `json:"server"`
			Count  int       `json:"count"`
			Last   time.Time `json:"last"`
		} `json:"limited"` // the homeservers that answered 429 to requests about delayed events
		Store storeStatus `json:"store"`
	} `json:"leaves"`
	AppService *struct {
		Server string             `json:"server"`
		Ready  bool               `json:"ready"`
		Checks []appservice.Check `json:"checks"`
	} `json:"app_service"`
	Membership *membershipStatus `json:"membership"` // nil if the service does not check membership
}

// storeStatus is the part of /_status about the store of leaves.
type storeStatus struct {
	Kind     string `json:"kind"`
	State    string `json:"state"`
	Cause    string `json:"cause"`
	Unmerged int    `json:"unmerged"`  // how many changes are only in memory
	SetAside int    `json:"set_aside"` // how many records are invalid
	Repairs  int    `json:"repairs"`   // how often the service wrote the leave file again, because another program had changed it
	Repaired string `json:"repaired"`  // why the service last wrote the leave file again
}

// runningSteps are the checks of the service's process on this machine.
func (e service) runningSteps() []engine.Step {
	const status, healthz = "service.status", "public.healthz service.status"
	return []engine.Step{
		{ID: status, Run: e.statusHere},
		{ID: "service.delegation", Needs: status, Run: e.about(judgeDelegation)},
		{ID: "service.log", Needs: status, Run: e.about(judgeLog)},
		{ID: "service.store", Needs: status, Run: e.about(judgeStore)},
		{ID: "service.app_service", Needs: status, Limit: selfTestLimit, Run: e.appService},
		{ID: "service.membership", Needs: status, Run: e.about(judgeMembership)},
		{ID: "service.version", Needs: healthz, Run: e.versionOutside},
		{ID: "service.clock", After: "homeserver.identity homeserver.versions public.healthz sfu.api", Run: e.clocks},
		{ID: "service.client_address", Needs: healthz, Run: e.clientAddress},
	}
}

// about returns a check that calls judge with the status of the running
// service.
func (e service) about(judge func(*serviceStatus) engine.Finding) func(context.Context) engine.Finding {
	return func(context.Context) engine.Finding { return judge(&e.status) }
}

// here returns a network that sends all requests to the address at which the
// service listens on this machine.
func (e *exam) here() *instruments.Network {
	bind := e.look.Config.Listen
	return e.look.Through(func(ctx context.Context, _, _ string) (net.Conn, error) {
		var failures []error
		for _, address := range listening(bind) {
			conn, err := e.look.Dial(ctx, bind.Network, address)
			if err == nil {
				return conn, nil
			}
			failures = append(failures, err)
		}
		return nil, errors.Join(failures...)
	})
}

// listening returns the addresses at which this machine can reach a service
// that listens on bind.
func listening(bind config.Bind) []string {
	host, port, err := net.SplitHostPort(bind.Address)
	if bind.Network == "unix" || err != nil {
		return []string{bind.Address}
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		return []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	return []string{bind.Address}
}

// insideURL is the service's URL in requests that use the network of [exam.here].
const insideURL = "http://matrixrtc-auth"

func (e service) statusHere(ctx context.Context) engine.Finding {
	s := &e.status
	c := e.look.Config
	switch {
	case c.Listen == (config.Bind{}):
		return na("the configuration does not say where the service listens")
	case len(c.Keys) == 0:
		return na("the configuration holds no API key")
	}
	here := e.here()
	v := engine.Vars{"address": c.Listen.String()}
	r, err := here.Get(ctx, insideURL+"/healthz")
	if err != nil {
		return found("service-down", v, "%s: %s", c.Listen, reason(err))
	}
	var h health
	if json.Unmarshal(r.Body, &h) == nil && h.Status == "stalled" || r.Status == http.StatusServiceUnavailable {
		return found("service-stalled", v, "GET /healthz: %s", r)
	}
	if r, err = askStatus(ctx, here, insideURL, c.Keys[0], nil, s); err != nil {
		return found("service-other", v, "GET /_status: %s", r)
	}
	state := clip(s.Status)
	if len(s.Reasons) > 0 {
		state += " (" + clip(strings.Join(s.Reasons, "; ")) + ")"
	}
	return ok("version %s, %s, %d webhooks verified, %d refused, %d leaves kept", clip(s.Version), state,
		s.Webhooks.Verified, sum(s.Webhooks.Rejected), sum(s.Leaves.Jobs))
}

func sum[N int | uint64](counts map[string]N) (total N) {
	for _, n := range counts {
		total += n
	}
	return total
}

var errNoStatus = errors.New("the service did not answer /_status with its status")

// askStatus requests /_status below the URL base, with header and a token
// signed with key. It parses the answer into s.
func askStatus(ctx context.Context, n *instruments.Network, base string, key sfu.Key, header http.Header, s *serviceStatus) (instruments.Reply, error) {
	r, err := n.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: base + "/_status", Bearer: statusToken(key), Header: header})
	if err != nil {
		return r, err
	}
	*s = serviceStatus{}
	if r.Status != http.StatusOK || json.Unmarshal(r.Body, s) != nil {
		return r, errNoStatus
	}
	return r, nil
}

func statusToken(key sfu.Key) secret.Text {
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": key.ID, "aud": "matrixrtc-auth-status",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}).SignedString([]byte(key.Secret.Reveal()))
	if err != nil {
		return secret.Text{} // without a valid token the service answers 404
	}
	return secret.New(token)
}

// doctor reports a homeserver that answered 429 within the last hour (lately).
const lately = time.Hour

// limitedLately returns the first homeserver that answered 429 within the last
// hour (lately). It also returns a text with all of these homeservers and their
// counts. Both are "" if there are none.
func (s *serviceStatus) limitedLately() (first, seen string) {
	var all []string
	for _, l := range s.Leaves.Limited {
		if time.Since(l.Last) >= lately {
			continue
		}
		first = cmp.Or(first, clip(l.Server))
		all = append(all, fmt.Sprintf("%s answered %d requests about delayed events with 429, the last at %s", clip(l.Server), l.Count, l.Last.UTC().Format(time.RFC3339)))
	}
	return first, strings.Join(all, "; ")
}

// judgeDelegation reports whether the running service takes over leaves. It
// warns if the service takes over none, or if a homeserver answered 429 within
// the last hour (lately).
func judgeDelegation(s *serviceStatus) engine.Finding {
	limited, seen := s.limitedLately()
	switch {
	case !s.Leaves.Offered && len(s.Leaves.RefusedBy) == 0:
		return found("delegation-off", nil, "the service takes over no leaves")
	case limited != "":
		return found("delayed-events-limited", engine.Vars{"server": limited}, "%s", seen)
	case len(s.Leaves.RefusedBy) > 0:
		// the check homeserver.delayed_route reports this, with more detail
		return ok("leaves of users of %s are not taken over", clip(strings.Join(s.Leaves.RefusedBy, ", ")))
	}
	return ok("the service sends the leave of clients that vanish")
}

const (
	// selfTestWait bounds how long doctor waits until the service has tested
	// its registration for the first time. The test takes long if nobody
	// answers the homeserver, because homeservers retry several times.
	selfTestWait  = 10 * time.Second
	selfTestEvery = 500 * time.Millisecond
	selfTestLimit = selfTestWait + time.Second
)

// appService returns the result of the service's self-test. If the service has
// just started, appService waits until the first self-test has ended.
func (e service) appService(ctx context.Context) engine.Finding {
	ctx, cancel := context.WithTimeout(ctx, selfTestWait)
	defer cancel()
	again := time.NewTicker(selfTestEvery)
	defer again.Stop()
	s := e.status
	for s.AppService != nil && len(s.AppService.Checks) == 0 && ctx.Err() == nil {
		select {
		case <-again.C:
		case <-ctx.Done():
		}
		if now := (serviceStatus{}); ctx.Err() == nil {
			if _, err := askStatus(ctx, e.here(), insideURL, e.look.Config.Keys[0], nil, &now); err == nil {
				s = now
			}
		}
	}
	return judgeAppService(&s)
}

// judgeAppService returns the finding about the service's own test of its
// registration. It is a fault if the test failed, and a warning if it passed but
// delegation is off.
func judgeAppService(s *serviceStatus) engine.Finding {
	as := s.AppService
	switch {
	case as == nil:
		return na("the service is not registered at a homeserver")
	case len(as.Checks) == 0:
		return na("the service has not tested its registration yet")
	case as.Ready && !s.Leaves.Offered:
		return found("app-service-no-delegation", engine.Vars{"server": clip(as.Server)}, "ready, and LIVEKIT_DELEGATION is off")
	case as.Ready:
		return ok("the registration at %s passes every test", clip(as.Server))
	}
	var seen, remedies []string
	for _, check := range as.Checks {
		if !check.OK {
			seen = append(seen, check.Part+": "+clip(check.Seen))
			remedies = append(remedies, clip(check.Remedy))
		}
	}
	return found("app-service-not-ready", engine.Vars{"server": clip(as.Server), "remedy": strings.Join(remedies, "; ")}, "%s", strings.Join(seen, "; "))
}
