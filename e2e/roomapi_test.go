package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/e2e/stack"
)

// reply is an HTTP answer of the SFU.
type reply struct {
	status int
	body   string
}

// roomAPI calls a method of the SFU's Room API with the given access token.
func roomAPI(t *testing.T, sfu *stack.SFU, token, method string, body any) reply {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(within(t, 10*time.Second), http.MethodPost,
		sfu.APIURL()+"/twirp/livekit.RoomService/"+method, strings.NewReader(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return do(t, req)
}

// validate asks the SFU whether a token admits its bearer. Clients ask the same to
// learn why the SFU refused their connection.
func validate(t *testing.T, sfu *stack.SFU, token string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, 10*time.Second), http.MethodGet,
		sfu.APIURL()+"/rtc/validate?access_token="+url.QueryEscape(token), nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) reply {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, strings.TrimSpace(string(body))}
}

// mint makes an access token with the library livekit/protocol, as the operator of an
// SFU can.
func mint(t *testing.T, key stack.Key, identity string, grant *auth.VideoGrant) string {
	t.Helper()
	token, err := auth.NewAccessToken(key.ID, key.Secret).SetIdentity(identity).SetVideoGrant(grant).ToJWT()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// operator makes a token that allows everything in a room.
func operator(t *testing.T, key stack.Key, room string) string {
	t.Helper()
	return mint(t, key, "operator", &auth.VideoGrant{
		RoomCreate: true, RoomList: true, RoomAdmin: true, Room: room,
	})
}
