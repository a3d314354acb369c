package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/semaphore"
)

// federateTimeout bounds a request to another homeserver. Synapse waits 30 s
// for this service's answer, so federateTimeout is shorter. Within
// federateTimeout, Synapse calls a slow remote server up to four times.
const federateTimeout = 20 * time.Second

// remoteBounds bounds the requests to other homeservers that run at the same
// time. Each request holds a connection to our own homeserver. Share makes sure
// that slow servers that already have 8 requests or more hold at most half of the
// 256 permits.
var remoteBounds = semaphore.Bounds{Total: 256, PerKey: 64, Share: 8}

// Requests to other homeservers use these paths.
const (
	fedProxyPath = "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy"
	remoteToken  = "/rtc/livekit/get_token"
	remotePrefix = "/_matrix/federation/unstable/io.element.msc4195"
	remoteStable = "/_matrix/federation/v1"
)

// RemoteError says that another homeserver returned no token.
type RemoteError struct {
	Server ServerName // the server that was asked
	Status int        // the status of the server's answer; 0 if there was none, or if our own homeserver, which forwards the request, did not pass the status on
	Err    error
}

func (e *RemoteError) Error() string {
	return "asking " + e.Server.String() + " for a token: " + e.Err.Error()
}
func (e *RemoteError) Unwrap() error { return e.Err }

var errTooManyRemote = errors.New("too many requests to slow homeservers are in progress")

// RemoteToken asks another homeserver for a token for that homeserver's SFU
// (MSC4512, MSC4195). destination is the name of the other homeserver. Our own
// homeserver forwards the request. RemoteToken returns the content of a 200
// answer. If the other homeserver does not know the path with the MSC's prefix,
// RemoteToken tries the path without the prefix. Errors are *[RemoteError].
func (a *AppService) RemoteToken(ctx context.Context, destination ServerName, request json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, federateTimeout)
	defer cancel()
	// The transport must not repeat a slow request: our own homeserver already
	// sends it to a slow remote server four times.
	ctx = outbound.WithAnswerTime(ctx, federateTimeout)
	a.once.Do(func() { a.remotes = semaphore.New[ServerName](remoteBounds) })
	release, err := a.remotes.Acquire(ctx, destination)
	if err != nil {
		return nil, &RemoteError{Server: destination, Err: errTooManyRemote}
	}
	defer release()
	status, content, err := a.federate(ctx, destination, remotePrefix+remoteToken, request)
	if err == nil && status == http.StatusNotFound {
		status, content, err = a.federate(ctx, destination, remoteStable+remoteToken, request)
	}
	switch {
	case err != nil:
		return nil, &RemoteError{Server: destination, Err: brief(err)}
	case status != http.StatusOK:
		return nil, &RemoteError{Server: destination, Status: status, Err: statusError(status, errCode(content))}
	}
	return content, nil
}

func (a *AppService) federate(ctx context.Context, destination ServerName, path string, request json.RawMessage) (int, json.RawMessage, error) {
	envelope, err := json.Marshal(struct {
		Destination string          `json:"destination"`
		Method      string          `json:"method"`
		Path        string          `json:"path"`
		Body        json.RawMessage `json:"body"`
	}{destination.String(), http.MethodPost, path, request})
	if err != nil {
		return 0, nil, &AppServiceError{Cause: CauseNotJSON, Err: errors.New("the request to another server is not JSON")}
	}
	status, body, err := a.ask(ctx, http.MethodPost, fedProxyPath, envelope)
	if err != nil {
		return 0, nil, err
	}
	if status != http.StatusOK {
		return 0, nil, statusOf(status, body)
	}
	var answer struct {
		Status  int             `json:"status"`
		Content json.RawMessage `json:"content"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Status < 100 || answer.Status > 599 {
		return 0, nil, &AppServiceError{Cause: CauseNotJSON, Status: status, Err: errors.New(`the answer is not {"status": number, "content": …}`)}
	}
	return answer.Status, answer.Content, nil
}
