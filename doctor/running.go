package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
)

// serviceStatus is the part of /_status that checks read.
type serviceStatus struct {
	Version string `json:"version"`
	Status  string `json:"status"`
	Client  struct {
		Address  netip.Addr            `json:"address"`
		ViaProxy bool                  `json:"via_trusted_proxy"`
		Headers  map[string]netip.Addr `json:"headers"` // what the nearest proxy wrote or passed on
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
		Store     struct {
			Kind  string `json:"kind"`
			State string `json:"state"`
			Cause string `json:"cause"`
		} `json:"store"`
	} `json:"leaves"`
	AppService *struct {
		Server string             `json:"server"`
		Ready  bool               `json:"ready"`
		Checks []appservice.Check `json:"checks"`
	} `json:"app_service"`
	Membership *membershipStatus `json:"membership"` // nil while none is enforced
}

// running looks at the process that serves here. It returns the check after
// which /_status can be asked.
func (e *exam) running(healthz *Check) (status *Check) {
	if e.o.Outside {
		return nil
	}
	now := &e.status
	status = e.add(&Check{ID: "service.status", Run: func(ctx context.Context) Finding { return e.statusHere(ctx, now) }})
	on := func(id string, run func(context.Context) Finding, needs ...*Check) {
		e.add(&Check{ID: "service." + id, Needs: append(needs, status), Run: run})
	}
	on("delegation", func(context.Context) Finding { return judgeDelegation(now) })
	on("store", func(context.Context) Finding { return judgeStore(now) })
	on("app_service", func(context.Context) Finding { return judgeAppService(now) })
	on("membership", func(context.Context) Finding { return judgeMembership(now) })
	on("version", func(ctx context.Context) Finding { return e.versionOutside(ctx, now.Version) }, healthz)
	on("client_address", e.clientAddress, healthz)
	return status
}

// here returns a client that connects to where the service listens on this
// machine.
func (e *exam) here() *Look {
	bind := e.look.Config.Listen
	inside := *e.look
	inside.client = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var failures []error
			for _, address := range listening(bind) {
				conn, err := e.look.Dial(ctx, bind.Network, address)
				if err == nil {
					return conn, nil
				}
				failures = append(failures, err)
			}
			return nil, errors.Join(failures...)
		},
	}}
	return &inside
}

// listening turns an address to listen on into those to connect to.
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

// insideURL is the service's address for the client of here.
const insideURL = "http://matrixrtc-auth"

func (e *exam) statusHere(ctx context.Context, s *serviceStatus) Finding {
	c := e.look.Config
	switch {
	case c.Listen == (config.Bind{}):
		return na("the configuration does not say where the service listens")
	case len(c.Keys) == 0:
		return na("the configuration holds no API key")
	}
	here := e.here()
	v := vars{"address": c.Listen.String()}
	r, err := here.get(ctx, insideURL+"/healthz")
	if err != nil {
		return found("service-down", v, "%s: %s", c.Listen, reason(err))
	}
	var h health
	if json.Unmarshal(r.body, &h) == nil && h.Status == "stalled" || r.status == http.StatusServiceUnavailable {
		return found("service-stalled", v, "GET /healthz: %s", r)
	}
	if r, err = askStatus(ctx, here, insideURL, c.Keys[0], nil, s); err != nil {
		return found("service-other", v, "GET /_status: %s", r)
	}
	return ok("version %s, %s, %d webhooks verified, %d refused, %d leaves kept", clip(s.Version), clip(s.Status),
		s.Webhooks.Verified, sum(s.Webhooks.Rejected), sum(s.Leaves.Jobs))
}

func sum[N int | uint64](counts map[string]N) (total N) {
	for _, n := range counts {
		total += n
	}
	return total
}

var errNoStatus = errors.New("no status")

// askStatus asks for /_status below base as the holder of key, with header.
func askStatus(ctx context.Context, l *Look, base string, key sfu.Key, header http.Header, s *serviceStatus) (reply, error) {
	r, err := l.ask(ctx, question{method: http.MethodGet, url: base + "/_status", bearer: statusToken(key), header: header})
	if err != nil {
		return r, err
	}
	*s = serviceStatus{}
	if r.status != http.StatusOK || json.Unmarshal(r.body, s) != nil {
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
		return secret.Text{} // the answer is a 404 then
	}
	return secret.New(token)
}

func judgeDelegation(s *serviceStatus) Finding {
	switch {
	case !s.Leaves.Offered && len(s.Leaves.RefusedBy) == 0:
		return found("delegation-off", nil, "the service takes over no leaves")
	case len(s.Leaves.RefusedBy) > 0:
		// homeserver.delayed_route has found the same, and says more.
		return ok("leaves of users of %s are not taken over", clip(strings.Join(s.Leaves.RefusedBy, ", ")))
	}
	return ok("the service sends the leave of clients that vanish")
}

// judgeAppService tells what the service's own test of its registration found.
func judgeAppService(s *serviceStatus) Finding {
	as := s.AppService
	switch {
	case as == nil:
		return na("the service is not registered at a homeserver")
	case len(as.Checks) == 0:
		return na("the service has not tested its registration yet")
	case as.Ready && !s.Leaves.Offered:
		return found("app-service-no-delegation", vars{"server": clip(as.Server)}, "ready, and LIVEKIT_DELEGATION is off")
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
	return found("app-service-not-ready", vars{"server": clip(as.Server), "remedy": strings.Join(remedies, "; ")}, "%s", strings.Join(seen, "; "))
}

func judgeStore(s *serviceStatus) Finding {
	if s.Leaves.Store.State == "degraded" {
		return found("store-degraded", nil, "store %s: %s", clip(s.Leaves.Store.Kind), clip(s.Leaves.Store.Cause))
	}
	if s.Leaves.Store.Kind == "" {
		return na("no leaves are kept")
	}
	return ok("store %s", clip(s.Leaves.Store.Kind))
}
