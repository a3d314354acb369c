// Package caller asks the service for an access token in the way of a Matrix client.
package caller

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// OpenIDToken is a homeserver's answer to openid/request_token. Clients send
// it to the service unchanged.
type OpenIDToken struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int    `json:"expires_in"`
	MatrixServerName string `json:"matrix_server_name"`
	TokenType        string `json:"token_type"`
}

// Legacy is the body of a request to / and to /sfu/get.
type Legacy struct {
	Room        string      `json:"room"`
	OpenIDToken OpenIDToken `json:"openid_token"`
	DeviceID    string      `json:"device_id"`

	DelayID      string `json:"delay_id,omitempty"`
	DelayTimeout int64  `json:"delay_timeout,omitempty"` // the delay of the leave, in milliseconds
}

// Request is the body of a request to /get_token.
type Request struct {
	RoomID      string      `json:"room_id"`
	SlotID      string      `json:"slot_id"`
	OpenIDToken OpenIDToken `json:"openid_token"`
	Member      Member      `json:"member"`
}

// Member is the caller's membership in a slot.
type Member struct {
	ID              string `json:"id"`
	ClaimedUserID   string `json:"claimed_user_id"`
	ClaimedDeviceID string `json:"claimed_device_id"`
}

// Answer is the service's answer: the URL of the SFU and an access token for it, or a
// Matrix error.
type Answer struct {
	Status  int    `json:"-"`
	Body    []byte `json:"-"`
	URL     string `json:"url"`
	JWT     string `json:"jwt"`
	Errcode string `json:"errcode"`
}

// Post sends body to an endpoint of the service. It returns an error only if
// there is no answer, or if the answer is not JSON.
func Post(ctx context.Context, url string, body any) (Answer, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(content))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

func readAnswer(resp *http.Response) (Answer, error) {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Status: resp.StatusCode, Body: bytes.TrimSpace(body)}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("%s: the body %q is not JSON: %w", resp.Status, body, err)
	}
	return answer, nil
}

// Claims returns the payload of an access token as JSON. Like Element Call, it decodes
// the payload with the standard alphabet of base64 (JavaScript's atob). It does not
// check the signature.
func Claims(jwt string) (json.RawMessage, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token is not a JWT, which has three parts")
	}
	payload, err := base64.RawStdEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("atob cannot decode the payload of the token: %w", err)
	}
	if !json.Valid(payload) {
		return nil, fmt.Errorf("the payload of the token, %q, is not JSON", payload)
	}
	return payload, nil
}
