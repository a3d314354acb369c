package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"matrixrtc-auth/internal/secret"
)

// credentials hold the access token for a request about a delayed event, and
// the user for whom this service acts. The zero value means a request without
// authentication.
type credentials struct {
	token secret.Text
	owner UserID // the user for whom this service acts; zero if it acts as the application service itself
}

func (c credentials) addTo(req *http.Request) {
	if c.token.IsEmpty() {
		return
	}
	req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	if !c.owner.IsZero() {
		req.URL.RawQuery = url.Values{"user_id": {c.owner.String()}}.Encode()
	}
}

// credentials returns the credentials for a request to server about an event of
// owner. At the homeserver at which this service is registered, they are the
// as_token and the owner's id (?user_id=). For any other server it returns no
// credentials.
func (d *DelayedEvents) credentials(server ServerName, owner UserID) credentials {
	if !d.Authenticates(server) {
		return credentials{}
	}
	return credentials{d.AppService.Token, owner}
}

// Authenticates reports whether this service uses the as_token to manage
// delayed events of server's users.
func (d *DelayedEvents) Authenticates(server ServerName) bool {
	return d.AppService != nil && d.AppService.Server == server
}

// DelayedEvent is a homeserver's answer to a request for one delayed event.
type DelayedEvent struct {
	Room  string // the id of the Matrix room
	Delay time.Duration
}

// LookUp asks for a delayed event of owner. owner must be a user of the
// homeserver at which this service is registered. Errors are *[DelayError].
// ResultGone says that owner has no such event.
func (d *DelayedEvents) LookUp(ctx context.Context, owner UserID, id DelayID) (DelayedEvent, error) {
	server := owner.Server()
	fail := func(err error) (DelayedEvent, error) {
		return DelayedEvent{}, &DelayError{Result: ResultFailed, Server: server, Err: brief(err)}
	}
	if !d.Authenticates(server) {
		return fail(errors.New("this service is not registered at that homeserver"))
	}
	api, err := d.APIs.Find(ctx, server)
	if err != nil {
		return fail(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.eventURL(id), nil)
	if err != nil {
		return fail(err)
	}
	body, err := d.do(req, server, api, d.credentials(server, owner))
	if err != nil {
		return DelayedEvent{}, err
	}
	event, err := parseDelayedEvent(body)
	if err != nil {
		return fail(err)
	}
	return event, nil
}

// parseDelayedEvent reads a delayed event from a homeserver's answer. Synapse
// calls the field with the delay "delay_ms". Other homeservers call it "delay".
func parseDelayedEvent(body []byte) (DelayedEvent, error) {
	var event struct {
		Room    string `json:"room_id"`
		DelayMS *int64 `json:"delay_ms"`
		Delay   *int64 `json:"delay"`
	}
	if json.Unmarshal(body, &event) != nil || event.Room == "" {
		return DelayedEvent{}, errors.New("the answer is not a delayed event")
	}
	ms := event.DelayMS
	if ms == nil {
		ms = event.Delay
	}
	if ms == nil || *ms < 0 {
		return DelayedEvent{}, errors.New("the answer does not contain the event's delay")
	}
	return DelayedEvent{Room: event.Room, Delay: milliseconds(*ms)}, nil
}

// milliseconds returns ms as a Duration. If ms is too large, it returns the
// longest Duration.
func milliseconds(ms int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(ms, most)) * time.Millisecond
}
