package appservice

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// Homeserver is the homeserver to which the self-test sends its requests, with
// the as_token. [matrix.AppService] implements it.
type Homeserver interface {
	WhoAmI(ctx context.Context) (matrix.UserID, error)
	IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error)
	CanFederate(ctx context.Context) error
	Loop(ctx context.Context, nonce string) (json.RawMessage, error)
	Ping(ctx context.Context, id string) error
}

// DelayedEvents restarts and sends delayed events with the as_token.
type DelayedEvents interface {
	Restart(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error
	Send(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error
}

// SelfTest proves that the homeserver is set up for this service. It makes the
// requests that calls need, before any user starts a call.
type SelfTest struct {
	Homeserver Homeserver
	Events     DelayedEvents // nil if delegation is off
	HSToken    secret.Text
	// PushID is the registration's id if the homeserver pushes events, else "".
	PushID string
}

// The parts of a self-test, in order.
const (
	PartToken      = "as_token"
	PartMembership = "is_joined"
	PartFederation = "fed_proxy"
	PartDelayed    = "delayed_events"
	PartLoop       = "loop"
	PartPush       = "push"
)

// Check is the result of one part of a self-test.
type Check struct {
	Part   string `json:"part"`
	OK     bool   `json:"ok"`
	Seen   string `json:"seen,omitempty"`   // what is wrong
	Remedy string `json:"remedy,omitempty"` // the setting that the operator must change
}

// Result is the result of a self-test.
type Result struct {
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks"`
}

// Ready reports whether every part of the self-test passed.
func (r Result) Ready() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return len(r.Checks) > 0
}

// partTimeout bounds each request of a self-test.
const partTimeout = 15 * time.Second

// Run asks the homeserver for everything that the application-service mode
// needs. It takes less than two minutes. If the homeserver refuses the as_token
// or does not answer the first request, Run sends no further requests.
func (s SelfTest) Run(ctx context.Context) Result {
	r := Result{At: time.Now().UTC()}
	sender, err := within(ctx, s.Homeserver.WhoAmI)
	if check := judgeToken(err); !check.OK {
		r.Checks = append(r.Checks, check)
		return r
	}
	r.Checks = append(r.Checks, passed(PartToken),
		judgeMembership(do(ctx, func(ctx context.Context) error {
			_, err := s.Homeserver.IsJoined(ctx, nobodysRoom(sender), sender)
			return err
		})),
		judgeFederation(do(ctx, s.Homeserver.CanFederate)))
	if s.Events != nil {
		r.Checks = append(r.Checks, s.delayed(ctx, sender))
	}
	r.Checks = append(r.Checks, s.loop(ctx, sender))
	if s.PushID != "" {
		r.Checks = append(r.Checks, judgePush(do(ctx, func(ctx context.Context) error { return s.Homeserver.Ping(ctx, s.PushID) })))
	}
	return r
}

func within[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	return ask(ctx)
}

func do(ctx context.Context, ask func(context.Context) error) error {
	_, err := within(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, ask(ctx) })
	return err
}

// nobodysRoom returns the id of a Matrix room that does not exist.
func nobodysRoom(sender matrix.UserID) matrix.RoomID {
	room, err := matrix.ParseRoomID("!matrixrtc-auth-self-test:" + sender.Server().String())
	if err != nil { // the server's name is too long for a room id, so the server has no rooms
		return matrix.RoomID{}
	}
	return room
}

var nobodysEvent = func() matrix.DelayID {
	id, err := matrix.ParseDelayID("matrixrtc-auth-self-test")
	if err != nil {
		panic(err)
	}
	return id
}()

// delayed tries to restart and to send a delayed event that does not exist. It
// tries both because any process of the homeserver restarts such events, but
// only the main process sends them.
func (s SelfTest) delayed(ctx context.Context, sender matrix.UserID) Check {
	for _, action := range []func(context.Context, matrix.UserID, matrix.DelayID) error{s.Events.Restart, s.Events.Send} {
		err := do(ctx, func(ctx context.Context) error { return action(ctx, sender, nobodysEvent) })
		if check := judgeDelayed(err); !check.OK {
			return check
		}
	}
	return passed(PartDelayed)
}

// loop sends a request that the homeserver must forward to this service.
func (s SelfTest) loop(ctx context.Context, sender matrix.UserID) Check {
	nonce := rand.Text()
	answer, err := within(ctx, func(ctx context.Context) (json.RawMessage, error) { return s.Homeserver.Loop(ctx, nonce) })
	if err != nil {
		return judgeLoop(err)
	}
	var got loopAnswer
	_ = json.Unmarshal(answer, &got)
	switch {
	case got.Proof != loopProof(s.HSToken, nonce):
		return failed(PartLoop, "something else than this service answers at the proxy_url of the registration", remedyProxyURL)
	case got.UserID != sender.String():
		return failed(PartLoop, "the homeserver passes requests on as another user than "+sender.String(), remedyProxyURL)
	}
	return passed(PartLoop)
}

func passed(part string) Check { return Check{Part: part, OK: true} }

func failed(part, seen, remedy string) Check { return Check{Part: part, Seen: seen, Remedy: remedy} }

const (
	remedyAway     = "start the homeserver, or correct LIVEKIT_CS_API_URL_OVERRIDES; it is asked again by itself"
	remedyProxyURL = "io.element.msc4512.proxy_url of the registration file must be this service's address as the homeserver reaches it"
)

// answered returns the homeserver's answer that err holds, or nil if the
// homeserver did not answer.
func answered(err error) *matrix.AppServiceError {
	if e, ok := errors.AsType[*matrix.AppServiceError](err); ok && e.Status != 0 {
		return e
	}
	return nil
}

// away returns the failed Check of a part of the self-test, for the case that the
// homeserver did not answer. err is the error of the request.
func away(part string, err error) Check { return failed(part, err.Error(), remedyAway) }

func judgeToken(err error) Check {
	switch e := answered(err); {
	case err == nil:
		return passed(PartToken)
	case e == nil:
		return away(PartToken, err)
	case e.Status == http.StatusUnauthorized:
		return failed(PartToken, "the homeserver does not know the as_token",
			"app_service_config_files in homeserver.yaml must list the registration file, and the homeserver must have been restarted since")
	}
	return failed(PartToken, err.Error(), "the Client-Server API of LIVEKIT_HS_SERVER_NAME does not answer as a homeserver: see LIVEKIT_CS_API_URL_OVERRIDES")
}

func judgeMembership(err error) Check {
	switch e := answered(err); {
	case err == nil:
		return passed(PartMembership)
	case e == nil:
		return away(PartMembership, err)
	case e.Status == http.StatusNotFound:
		return failed(PartMembership, "the homeserver does not answer who is joined", "experimental_features in homeserver.yaml needs msc4502_enabled: true (Synapse 1.161 or later)")
	case e.Status == http.StatusForbidden:
		return failed(PartMembership, "the registration does not allow to ask who is joined", "io.element.msc4502.scopes in the registration file needs "+scopeIsJoined)
	}
	return failed(PartMembership, err.Error(), "see the homeserver's log")
}

func judgeFederation(err error) Check {
	switch e := answered(err); {
	case err == nil:
		return passed(PartFederation)
	case e == nil:
		return away(PartFederation, err)
	case e.Status == http.StatusNotFound:
		return failed(PartFederation, "the homeserver passes no requests on", "experimental_features in homeserver.yaml needs msc4512_enabled: true (Synapse 1.161 or later)")
	}
	return failed(PartFederation, err.Error(), "io.element.msc4512.proxy_prefix in the registration file must be "+proxyPrefix)
}

// judgeDelayed judges the homeserver's answer about a delayed event that does not
// exist. ResultGone says that this service may manage delayed events.
func judgeDelayed(err error) Check {
	switch matrix.ResultOf(err) {
	case matrix.ResultDone, matrix.ResultGone:
		return passed(PartDelayed)
	case matrix.ResultNeedsToken, matrix.ResultForbidden:
		return failed(PartDelayed, err.Error(), "namespaces.users of the registration file must match the homeserver's users")
	case matrix.ResultWrongPath:
		return failed(PartDelayed, err.Error(), "with workers, LIVEKIT_CS_API_URL_OVERRIDES must lead to the main process, which alone sends and cancels delayed events")
	}
	return failed(PartDelayed, err.Error(), "max_event_delay_duration: 24h in homeserver.yaml, at the top level")
}

func judgeLoop(err error) Check {
	switch e := answered(err); {
	case e == nil:
		return away(PartLoop, err)
	case e.Status == http.StatusNotFound:
		return failed(PartLoop, "the homeserver does not pass the requests of clients on",
			"io.element.msc4512.proxy_prefix in the registration file must be "+proxyPrefix+", and experimental_features in homeserver.yaml needs msc4512_enabled: true")
	case e.Status == http.StatusForbidden:
		return failed(PartLoop, "this service refuses what the homeserver passes on: the two have different hs_tokens, or registration files",
			"both must read the same registration file; restart the homeserver after a change of it")
	case e.Status == http.StatusBadRequest:
		return failed(PartLoop, "this service is configured for another homeserver than the one that passes requests on", "LIVEKIT_HS_SERVER_NAME must be the server_name of homeserver.yaml")
	case e.Status >= http.StatusInternalServerError:
		return failed(PartLoop, "the homeserver does not reach this service", remedyProxyURL)
	}
	return failed(PartLoop, err.Error(), remedyProxyURL)
}

func judgePush(err error) Check {
	switch e := answered(err); {
	case err == nil:
		return passed(PartPush)
	case e == nil:
		return away(PartPush, err)
	}
	return failed(PartPush, "events of the homeserver do not arrive here, and it keeps every event of its rooms meanwhile: "+err.Error(),
		"url in the registration file must be this service's address as the homeserver reaches it, or null")
}
