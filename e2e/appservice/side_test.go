package appservice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
)

// side is a homeserver with its service and its SFU.
type side struct {
	*homeserver
	service *stack.Service
	sfu     *stack.SFU
	metrics string // the address of the service's metrics
}

var sfuKey = stack.Key{ID: "matrixrtc", Secret: "a-secret-of-these-tests-0123456789abc"}

// deployment has the options with which deploy starts a homeserver, a service and an
// SFU.
type deployment struct {
	push      bool              // true if the homeserver pushes events
	env       map[string]string // additional environment variables of the service
	additions []string          // additional settings of the homeserver
	// through, if not nil, returns the address at which the homeserver reaches the
	// service.
	through func(service string) string
	// webhook is the URL to which the SFU sends webhooks. If it is empty, the SFU sends
	// them to the service.
	webhook string
	others  []*side // other deployments; the service's configuration also names their homeservers
}

// newSide starts a homeserver, an SFU and a service, and waits until the service is
// ready.
func newSide(t *testing.T, w *world, name string, push bool, env map[string]string, additions ...string) *side {
	t.Helper()
	return deploy(t, w, name, deployment{push: push, env: env, additions: additions})
}

func deploy(t *testing.T, w *world, name string, d deployment) *side {
	t.Helper()
	s := &side{
		service: &stack.Service{Host: w.Host, Name: name + "-service", Program: programs.Service},
		sfu: &stack.SFU{Host: w.Host, Name: name + "-sfu", Program: programs.SFU, Keys: []stack.Key{sfuKey},
			OneMediaPort: true, Config: filepath.Join(repository, "livekit.yaml.example"), Webhook: d.webhook},
	}
	_, err := s.service.Address()
	must(t, err)
	s.metrics, err = w.Address()
	must(t, err)
	if s.sfu.Webhook == "" {
		s.sfu.Webhook = s.service.URL() + "/sfu_webhook"
	}
	start(t, name+"-sfu", s.sfu)
	reached := s.service.URL()
	if d.through != nil {
		reached = d.through(reached)
	}
	s.homeserver = newHomeserver(t, w, name, reached, d.push, d.additions...)
	s.service.Env = s.environment(t, w, name, d)
	start(t, name, s.homeserver)
	start(t, name+"-service", s.service) // the service starts last, so its first self-test finds the homeserver ready
	s.eventuallyLogs(t, `application service: ready`)
	return s
}

// environment returns the service's environment variables.
func (s *side) environment(t *testing.T, w *world, name string, d deployment) map[string]string {
	homeservers := s.name.String() + "=" + s.clientURL(t)
	for _, other := range d.others {
		homeservers += "," + other.name.String() + "=" + other.clientURL(t)
	}
	env := map[string]string{
		"LIVEKIT_URL": s.sfu.URL(), "LIVEKIT_KEY": sfuKey.ID, "LIVEKIT_SECRET": sfuKey.Secret,
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": s.name.String(), "LIVEKIT_STORE": "memory",
		"LIVEKIT_METRICS_BIND":             s.metrics,
		"LIVEKIT_HS_SERVER_NAME":           s.name.String(),
		"LIVEKIT_AS_REGISTRATION_FILE":     filepath.Join(w.Dir, name+"-registration.yaml"),
		"LIVEKIT_RATE_LIMIT":               "6000/min,burst=1000",
		"LIVEKIT_FEDERATION_URL_OVERRIDES": homeservers,
		"LIVEKIT_CS_API_URL_OVERRIDES":     s.name.String() + "=" + s.clientURL(t),
	}
	maps.Copy(env, d.env)
	return env
}

// clientURL returns the homeserver's URL for clients. It works even before the
// homeserver starts.
func (h *homeserver) clientURL(t *testing.T) string {
	t.Helper()
	address, err := h.Address()
	must(t, err)
	return "http://" + address
}

// eventuallyLogs waits until the service's log contains the text.
func (s *side) eventuallyLogs(t *testing.T, text string) {
	t.Helper()
	eventually(t, 60*time.Second, fmt.Sprintf("the service logs %q", text), func() bool {
		return strings.Contains(s.service.Log().String(), text)
	})
}

// eventually waits until the condition holds. If that takes longer than limit, the test
// fails, and the message contains the text in what.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("got nothing within %v, want this: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// These are the first parts of the paths at which the homeserver gets requests from
// clients, in the unstable and the stable form.
const (
	unstable = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit"
	stable   = "/_matrix/client/v1/rtc/livekit"
)

// call returns the body of a request to the homeserver's endpoints. The second
// parameter adds or replaces fields. If a value in it is nil, the body does not have
// the field.
func (s *side) call(room string, more map[string]any) map[string]any {
	body := map[string]any{"url": s.sfu.URL(), "room_id": room, "slot_id": "m.call#ROOM", "member_id": "m1"}
	for key, value := range more {
		if body[key] = value; value == nil {
			delete(body, key)
		}
	}
	return body
}

// post sends a request of a user to the user's homeserver.
func post(t *testing.T, a *account.Account, path string, body any) (caller.Answer, http.Header) {
	t.Helper()
	content, err := json.Marshal(body)
	must(t, err)
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodPost, a.BaseURL+path, bytes.NewReader(content))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.AccessToken)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	answer := caller.Answer{Status: resp.StatusCode, Body: text}
	_ = json.Unmarshal(text, &answer)
	return answer, resp.Header
}

// wants checks the status and the error code of an answer.
func wants(t *testing.T, what string, got caller.Answer, status int, errcode string) {
	t.Helper()
	if got.Status != status || got.Errcode != errcode {
		t.Errorf("%s: got %d %s, want %d %s", what, got.Status, got.Body, status, errcode)
	}
}

// join makes a participant join the SFU of s. The participant leaves when the test
// ends.
func join(t *testing.T, s *side, jwt string) *participant.Participant {
	t.Helper()
	p, err := participant.Join(within(t, time.Minute), s.sfu.URL(), jwt)
	must(t, err)
	t.Cleanup(p.Leave)
	return p
}

// hears waits until the first participant receives media from the second participant.
func hears(t *testing.T, who, whom *participant.Participant) {
	t.Helper()
	for {
		track, err := who.Hear(within(t, 30*time.Second))
		if err != nil {
			t.Fatalf("%s: got %v, want to hear %s", who.Identity(), err, whom.Identity())
		}
		if track.From == whom.Identity() {
			return
		}
	}
}

// openID requests an access token from the service with an OpenID token, as older
// clients do.
func (s *side) openID(t *testing.T, a *account.Account, room string) caller.Answer {
	t.Helper()
	return openID(t, s.service, a, room)
}

func openID(t *testing.T, service *stack.Service, a *account.Account, room string) caller.Answer {
	t.Helper()
	ctx := within(t, time.Minute)
	token, err := a.OpenIDToken(ctx)
	must(t, err)
	answer, err := caller.Post(ctx, service.URL()+"/sfu/get", caller.Legacy{Room: room, OpenIDToken: token, DeviceID: a.DeviceID})
	must(t, err)
	return answer
}
