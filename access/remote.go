package access

import (
	"context"
	"encoding/json"

	"matrixrtc-auth/matrix"
)

// Remote asks another homeserver for a token for that homeserver's SFU. The
// question goes through the homeserver that proxies requests to this service.
type Remote interface {
	// RemoteToken sends request to server and returns the content of its answer.
	// Errors are *[matrix.RemoteError].
	RemoteToken(ctx context.Context, server matrix.ServerName, request json.RawMessage) (json.RawMessage, error)
}

// RemoteToken sends the parameter request to another homeserver, and returns that
// homeserver's answer. Before that, RemoteToken makes sure that the user is joined
// to the room, and that the other homeserver is in the room too. If one of them is
// not, the error is ErrNotJoined (403). RemoteToken returns before the time
// what.By. Errors of the other homeserver are *[matrix.RemoteError].
func (a *Authorizer) RemoteToken(ctx context.Context, who Proxied, server matrix.ServerName, what Request, request json.RawMessage) (json.RawMessage, Admission, error) {
	ctx, cancel := context.WithDeadline(ctx, what.By)
	defer cancel()
	found, err := a.identify(ctx, who, what)
	got := Admission{User: found.user}
	if err != nil {
		return nil, got, err
	}
	got.Room = what.LiveKitRoom()
	if err := judged(a.Membership.IsServerJoined(ctx, what.Room, server)); err != nil {
		return nil, got, err
	}
	answer, err := a.Remote.RemoteToken(ctx, server, request)
	return answer, got, err
}
