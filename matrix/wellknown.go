package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"matrixrtc-auth/internal/outbound"
)

// These are the bounds on fetching /.well-known/matrix/server (server-server
// specification, "Resolving server names", step 3).
const (
	wellKnownTimeout  = 4 * time.Second
	maxWellKnownBytes = 50 << 10
	maxRedirects      = 5
	defaultWellKnown  = 24 * time.Hour
	minWellKnown      = 5 * time.Minute
	maxWellKnown      = 48 * time.Hour
	firstAbsentRetry  = 5 * time.Minute  // the pause after the first definite answer that there is no document; each further such answer doubles the pause
	maxAbsentRetry    = time.Hour        // the longest pause after definite answers that there is no document
	namedFailureRetry = 10 * time.Second // the pause after any failed step of discovery, for a server that the operator named
	otherFailureRetry = 2 * time.Minute  // the pause after any failed step of discovery, for any other server
)

// errNoWellKnown is a definite answer that a server delegates to no other
// server. It stands for a 404, and for a document without a valid name. All
// other errors are not definite.
type errNoWellKnown struct {
	why string
	gap Gap // what is wrong with the document; "" for a 404
}

func (e errNoWellKnown) Error() string { return "no delegation: " + e.why }

// wellKnownClient returns a client for well-known documents and /versions. It
// uses transport, and follows redirects to https only. It is not for userinfo
// and delayed events: those requests must not follow redirects.
//
// Callers must bound the time by a context, because the error of an
// http.Client's own Timeout would hide the cause.
func wellKnownClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case req.URL.Scheme != "https":
				return fmt.Errorf("the server redirects to %s, but this service follows only https", req.URL.Scheme)
			case len(via) > maxRedirects:
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		},
	}
}

// fetchWellKnown asks host to which server it delegates. It also returns how
// long the answer is valid.
func fetchWellKnown(ctx context.Context, client *http.Client, host string) (ServerName, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, wellKnownTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/matrix/server", nil)
	if err != nil {
		return ServerName{}, 0, err
	}
	req.Header.Set("User-Agent", outbound.UserAgent)
	resp, err := client.Do(req)
	if err != nil {
		return ServerName{}, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return ServerName{}, 0, errNoWellKnown{why: "status 404"}
	}
	if resp.StatusCode != http.StatusOK {
		return ServerName{}, 0, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxWellKnownBytes+1))
	if err != nil {
		return ServerName{}, 0, err
	}
	delegated, err := parseWellKnown(body)
	return delegated, wellKnownLifetime(resp.Header, time.Now()), err
}

// parseWellKnown returns the server name in m.server. Each error is a definite
// answer that the server delegates to no other server.
func parseWellKnown(body []byte) (ServerName, error) {
	var document struct {
		Server string `json:"m.server"`
	}
	if len(body) > maxWellKnownBytes {
		return ServerName{}, errNoWellKnown{"the document is larger than 50 KiB", GapInvalid}
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return ServerName{}, errNoWellKnown{"the document is not JSON", GapInvalid}
	}
	delegated, err := ParseServerName(document.Server)
	if err != nil {
		return ServerName{}, errNoWellKnown{"m.server: " + err.Error(), GapInvalid}
	}
	return delegated, nil
}

// wellKnownLifetime returns how long a valid answer may be used. It reads
// Cache-Control, or else Expires. Without these headers, the lifetime is 24 h.
// The result is between 5 min and 48 h.
func wellKnownLifetime(header http.Header, now time.Time) time.Duration {
	lifetime, ok := maxAge(header.Values("Cache-Control"))
	if !ok {
		lifetime, ok = untilExpiry(header.Get("Expires"), now)
	}
	if !ok {
		lifetime = defaultWellKnown
	}
	return min(max(lifetime, minWellKnown), maxWellKnown)
}

// maxAge returns the max-age in Cache-Control. It returns 0 if one of the
// directives is no-store or no-cache. A malformed age counts as 0. An age above
// maxWellKnown counts as maxWellKnown (RFC 9111, 4.2.1 and 1.2.2).
func maxAge(headers []string) (age time.Duration, found bool) {
	for directive := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			if found {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 63)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				seconds = 0
			}
			age = time.Duration(min(seconds, uint64(maxWellKnown/time.Second))) * time.Second
			found = true
		}
	}
	return age, found
}

func untilExpiry(expires string, now time.Time) (time.Duration, bool) {
	if expires == "" {
		return 0, false
	}
	at, err := http.ParseTime(expires)
	if err != nil {
		return 0, true // an Expires of "0" or another invalid text means that the answer has expired
	}
	return at.Sub(now), true
}

// absentRetry returns the pause before the service asks a server again for its
// well-known document. The server has said n times in a row that it has none.
func absentRetry(n int) time.Duration {
	return min(firstAbsentRetry<<min(n-1, 4), maxAbsentRetry)
}
