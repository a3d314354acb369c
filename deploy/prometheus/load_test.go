package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/deploy/deploytest"
	"matrixrtc-auth/sfu/sfutest"
)

// load causes work in the service until ctx ends. It requests tokens in every
// way, delegates leaves, and reports joins. Some of these requests fail on
// purpose.
func load(ctx context.Context, t *testing.T, around *deploytest.Around, address string) {
	client := &http.Client{Timeout: deploytest.MaxWait}
	home, room := around.Home, "!room:example.org"
	alice := home.UserID("alice")
	home.Join(room, alice)
	inside := httptest.NewServer(http.HandlerFunc(home.ServeHTTP)) // the homeserver without TLS
	defer inside.Close()
	for n := 0; ctx.Err() == nil; n++ {
		fail(ctx, around, client, address, n)
		_ = around.AskToken(client, address, fmt.Sprint("user", n%3)) // some requests fail on purpose
		id := fmt.Sprint("syd_", n)
		home.ScheduleFor(alice, room, id, time.Hour)
		delegated := post(ctx, client, "http://"+address+"/sfu/get", "", fmt.Sprintf(`{"room":%q,"device_id":"D%d","delay_id":%q,"delay_timeout":3600000,"openid_token":{"access_token":%q,"matrix_server_name":%q}}`,
			room, n, id, home.IssueToken(alice), home.Name()))
		post(ctx, client, "http://"+address+"/sfu/get", "", fmt.Sprintf(`{"room":%q,"device_id":"D","openid_token":{"access_token":"wrong","matrix_server_name":%q}}`, room, home.Name()))
		for _, room := range []string{room, "!not-joined:example.org"} {
			post(ctx, client, inside.URL+"/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token", home.Login(alice),
				fmt.Sprintf(`{"url":%q,"room_id":%q,"slot_id":"m.call#ROOM","member_id":"m"}`, around.SFU.URL(), room))
		}
		push(ctx, client, address, n)
		if delegated != "" {
			if _, err := around.SFU.SendWebhook("http://"+address+"/sfu_webhook", around.SFU.Connect(delegated, "")); err != nil && ctx.Err() == nil {
				t.Errorf("SendWebhook: got %v, want no error", err)
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// fail causes faults of the homeserver and of the SFU. n is the number of the
// round. Of every 20 rounds, four have a fault.
func fail(ctx context.Context, around *deploytest.Around, client *http.Client, address string, n int) {
	switch n % 20 {
	case 5, 15:
		around.SFU.FailNext(sfutest.Status(http.StatusBadGateway))
	case 8:
		around.SFU.FailNext(sfutest.TwirpError("unknown", "could not find any available nodes"))
	case 11:
		around.Home.Script(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"errcode":"M_LIMIT_EXCEEDED"}`, http.StatusTooManyRequests)
		})
		_ = around.AskToken(client, address, "limited")
		around.Home.Script(nil)
	}
}

// push sends a transaction to the service, as the homeserver does.
func push(ctx context.Context, client *http.Client, address string, n int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, fmt.Sprintf("http://%s/_matrix/app/v1/transactions/%d", address, n), strings.NewReader(`{"events":[]}`))
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+hsToken)
	if resp, err := client.Do(req); err == nil {
		resp.Body.Close()
	}
}

// post sends a request and returns the token in the answer. If the answer has
// no token, post returns "". Some requests fail on purpose.
func post(ctx context.Context, client *http.Client, to, bearer, body string) (token string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return ""
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var answer struct{ JWT string }
	_ = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.JWT
}
