package faults

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// newRequest returns the body of a request for a token. The user belongs to w's
// homeserver.
func (w *world) newRequest(user, call string) map[string]any {
	return requestAt(w.homeserver, user, call)
}

// requestAt returns the body of a request for a token. The user belongs to the
// given homeserver.
func requestAt(homeserver *matrixtest.Server, user, call string) map[string]any {
	return map[string]any{
		"room": "!" + call + ":example.org", "device_id": "DEVICE",
		"openid_token": map[string]any{
			"access_token": homeserver.IssueToken(homeserver.UserID(user)), "token_type": "Bearer",
			"matrix_server_name": homeserver.Name().String(), "expires_in": 3600,
		},
	}
}

// access is the room and the identity in a token.
type access struct {
	room     sfu.Room
	identity sfu.Identity
}

// delegate asks for a token. With the same request, it delegates a leave.
func (w *world) delegate(request map[string]any, delayID string, delay time.Duration) (access, error) {
	request = maps.Clone(request)
	request["delay_id"], request["delay_timeout"] = delayID, delay.Milliseconds()
	return w.token(request)
}

// token asks any of the processes for a token.
func (w *world) token(request map[string]any) (access, error) {
	given, _, err := w.persist(request)
	return given, err
}

// persist asks any of the processes for a token. Like a proxy, it asks another
// process if the connection ends without an answer.
func (w *world) persist(request map[string]any) (given access, retried bool, err error) {
	s := w.any()
	given, err = w.tokenOf(s, request)
	if !errors.Is(err, errConnection) {
		return given, false, err
	}
	if other := w.another(s); other != nil {
		given, err = w.tokenOf(other, request)
		return given, true, err
	}
	return given, false, err
}

// errConnection is the error of a request that got no answer.
var errConnection = errors.New("the connection ended without an answer")

// tokenOf asks s for a token.
func (w *world) tokenOf(s *service, request map[string]any) (access, error) {
	if s == nil {
		return access{}, fmt.Errorf("no process serves requests now")
	}
	body, err := json.Marshal(request)
	if err != nil {
		panic(err) // impossible: the test made the request
	}
	resp, err := w.client.Post(s.url+"/sfu/get", "application/json", bytes.NewReader(body))
	if err != nil {
		return access{}, fmt.Errorf("%w: %w", errConnection, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return access{}, fmt.Errorf("%w: %w", errConnection, err)
	}
	if resp.StatusCode != http.StatusOK {
		return access{}, fmt.Errorf("%s %s", resp.Status, text)
	}
	return readToken(text)
}

func readToken(answer []byte) (access, error) {
	var token struct{ JWT string }
	if err := json.Unmarshal(answer, &token); err != nil {
		return access{}, err
	}
	parts := strings.Split(token.JWT, ".")
	if len(parts) != 3 {
		return access{}, fmt.Errorf("not a token: %s", answer)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return access{}, err
	}
	var claims struct {
		Sub   sfu.Identity
		Video struct{ Room sfu.Room }
	}
	err = json.Unmarshal(payload, &claims)
	return access{claims.Video.Room, claims.Sub}, err
}

// report makes the SFU report an event to a process. If a process does not
// accept the report, the SFU tries again at any process. As LiveKit does, it
// gives up after five tries.
func (w *world) report(event *livekit.WebhookEvent) {
	for range 5 {
		if s := w.any(); s != nil && w.reportTo(s, event) == http.StatusOK {
			return
		}
	}
}

// reportTo reports an event to s. It returns the status of the answer, or 0 if
// there is no answer.
func (w *world) reportTo(s *service, event *livekit.WebhookEvent) int {
	client := *w.client
	client.Timeout = 2 * time.Second
	resp, err := client.Do(w.sfu.NewWebhook(s.url+"/sfu_webhook", event))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// health returns the status that s answers to /healthz, or the error as text.
func (w *world) health(s *service) string {
	var answer struct{ Status string }
	if err := w.get(s, "/healthz", &answer); err != nil {
		return err.Error()
	}
	return answer.Status
}

// get requests path from s and decodes the JSON answer into answer. The request
// carries a token made with the API key.
func (w *world) get(s *service, path string, answer any) error {
	req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+sfutest.StatusToken(apiKey, "matrixrtc-auth-status", time.Minute))
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
