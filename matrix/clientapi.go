package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/semaphore"
)

const (
	maxVersionsBytes = 64 << 10
	maxBaseURL       = 512 // bytes
)

// ClientAPI is the Client-Server API of a homeserver that can delay events.
type ClientAPI struct {
	base string // the URL without a slash at the end
	// Stable says that the API supports MSC4140 at its stable path.
	Stable bool
	named  bool
}

// ClientAPIError says why this service found no Client-Server API that can
// delay events.
type ClientAPIError struct {
	Server ServerName
	// Definite says that the reason is an answer of the server, or an address to
	// which this service does not connect. If Definite is false, a retry may succeed.
	Definite bool
	Err      error
}

func (e *ClientAPIError) Error() string {
	return fmt.Sprintf("the Client-Server API of %s: %v", e.Server, e.Err)
}

func (e *ClientAPIError) Unwrap() error { return e.Err }

// ClientAPIs finds the Client-Server API of servers (Client-Server API,
// "Well-known URIs"). It also finds out whether the API can delay events
// (MSC4140).
type ClientAPIs struct {
	// Overrides are the URLs that the operator set for servers.
	Overrides map[ServerName]*url.URL
	Servers

	once    sync.Once
	classes pair[apiClass]
	lookUps *inquiry.Inquiries[ServerName, outbound.Asker, clientAPIAnswer] // looks up the APIs of servers; apiClass bounds how many look-ups run at the same time
}

// apiClass holds the cache, and the bounds on look-ups, for one class of
// servers. One class is the servers that the operator named. The other class is
// all other servers.
type apiClass struct {
	cache *lru.Cache[ServerName, clientAPIAnswer]
	// lookUps bounds how many look-ups of APIs run at the same time for clients.
	// ownLookUps bounds how many run for leaves that are already stored. nil means
	// no bound.
	lookUps, ownLookUps *semaphore.Keyed[outbound.Asker]
}

// refusal is a server's definite answer that it cannot delay events.
type refusal struct{ why string }

func (e refusal) Error() string { return e.why }

func isDefinite(err error) bool {
	_, no := errors.AsType[refusal](err)
	_, refused := errors.AsType[*outbound.RefusedError](err)
	return no || refused
}

func (c *ClientAPIs) find(ctx context.Context, server ServerName) (ClientAPI, error) {
	api := ClientAPI{named: c.isNamed(server)}
	if base, ok := c.Overrides[server]; ok {
		api.base = strings.TrimSuffix(base.String(), "/")
		return c.checkVersions(ctx, api)
	}
	base, err := c.wellKnown(ctx, server)
	if err != nil {
		return ClientAPI{}, err
	}
	api.base = base
	return c.checkVersions(ctx, api)
}

// wellKnown fetches the well-known document of server, and returns the URL in
// m.homeserver.base_url. If there is no document (404), wellKnown returns
// "https://" and the server name.
func (c *ClientAPIs) wellKnown(ctx context.Context, server ServerName) (string, error) {
	status, body, err := c.get(ctx, c.isNamed(server), "https://"+server.String()+"/.well-known/matrix/client", maxWellKnownBytes)
	switch {
	case err != nil:
		return "", err
	case status == http.StatusNotFound:
		return "https://" + server.String(), nil
	case status != http.StatusOK:
		return "", fmt.Errorf("the request for /.well-known/matrix/client got the status %d", status)
	}
	var document struct {
		Homeserver struct {
			BaseURL string `json:"base_url"`
		} `json:"m.homeserver"`
	}
	if json.Unmarshal(body, &document) != nil {
		return "", refusal{".well-known/matrix/client is not JSON"}
	}
	return checkBaseURL(document.Homeserver.BaseURL, c.isNamed(server))
}

// checkBaseURL checks the base URL raw, and returns it without a slash at the
// end. The scheme must be https. For a server that the operator named, http is
// also allowed.
func checkBaseURL(raw string, named bool) (string, error) {
	if len(raw) > maxBaseURL {
		return "", refusal{"m.homeserver.base_url in .well-known/matrix/client is longer than any honest one"}
	}
	base, err := url.Parse(raw)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return "", refusal{"m.homeserver.base_url in .well-known/matrix/client is not the URL of a server"}
	}
	if base.Scheme != "https" && !(named && base.Scheme == "http") {
		return "", refusal{"m.homeserver.base_url in .well-known/matrix/client is not https"}
	}
	return strings.TrimSuffix(base.String(), "/"), nil
}

// checkVersions asks the API's /versions whether the server can delay events:
// one of the features org.matrix.msc4140 and org.matrix.msc4140.stable must be
// true. This service uses the stable path only if org.matrix.msc4140.stable is
// true.
func (c *ClientAPIs) checkVersions(ctx context.Context, api ClientAPI) (ClientAPI, error) {
	status, body, err := c.get(ctx, api.named, api.base+"/_matrix/client/versions", maxVersionsBytes)
	switch {
	case err != nil:
		return ClientAPI{}, err
	case status >= 500 || status == http.StatusTooManyRequests:
		return ClientAPI{}, fmt.Errorf("the request for /_matrix/client/versions got the status %d", status)
	case status != http.StatusOK:
		return ClientAPI{}, refusal{fmt.Sprintf("the request for /_matrix/client/versions got the status %d", status)}
	}
	var versions struct {
		Versions []string       `json:"versions"`
		Unstable map[string]any `json:"unstable_features"`
	}
	if json.Unmarshal(body, &versions) != nil || versions.Versions == nil {
		return ClientAPI{}, refusal{"/versions is not a homeserver's answer"}
	}
	api.Stable = versions.Unstable["org.matrix.msc4140.stable"] == true
	if !api.Stable && versions.Unstable["org.matrix.msc4140"] != true {
		return ClientAPI{}, refusal{"the homeserver does not delay events (Synapse: max_event_delay_duration, at the top level of homeserver.yaml)"}
	}
	return api, nil
}

// get makes a GET request and returns the answer. It follows redirects, because
// servers may redirect requests for a well-known document.
func (c *ClientAPIs) get(ctx context.Context, named bool, address string, limit int64) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, wellKnownTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, refusal{"the address of the Client-Server API is not a URL"}
	}
	req.Header.Set("User-Agent", outbound.UserAgent)
	resp, err := wellKnownClient(c.transport(named)).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = refusal{"the answer is larger than this service accepts"}
	}
	return resp.StatusCode, body, err
}
