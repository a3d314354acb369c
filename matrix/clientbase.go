package matrix

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"matrixrtc-auth/internal/fault"
)

// clientBase remembers the URL of one server's Client-Server API, even if that
// API cannot delay events. The zero value has no URL.
type clientBase struct {
	flight singleflight.Group

	mu      sync.Mutex
	url     string    // the URL without a slash at the end; "" for none
	at      time.Time // when the last look-up ended
	err     error     // the error of the last look-up; nil if the look-up found url
	expires time.Time
}

// find returns the base URL of server's Client-Server API. This is the URL that
// the operator set, or else the URL in the server's well-known document. If
// find cannot fetch the document, it returns the last URL that it found.
func (b *clientBase) find(ctx context.Context, apis *ClientAPIs, server ServerName) (string, error) {
	if base, ok := apis.Overrides[server]; ok {
		return strings.TrimSuffix(base.String(), "/"), nil
	}
	if known, err, fresh := b.known(); fresh {
		return known, err
	}
	looked := b.flight.DoChan("", func() (any, error) {
		return fault.Catch(func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clientAPITimeout)
			defer cancel()
			found, err := apis.wellKnown(ctx, server)
			b.note(found, err)
			return nil, nil
		})
	})
	select {
	case r := <-looked:
		if r.Err != nil {
			return "", r.Err
		}
	case <-ctx.Done():
		return "", ctx.Err()
	}
	known, err, _ := b.known()
	return known, err
}

func (b *clientBase) known() (base string, err error, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.url != "" {
		return b.url, nil, time.Now().Before(b.expires)
	}
	return "", b.err, b.err != nil && time.Now().Before(b.expires)
}

func (b *clientBase) note(found string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = time.Now()
	switch {
	case err == nil:
		b.url, b.err, b.expires = found, nil, time.Now().Add(clientAPILifetime)
	case b.url != "":
		b.expires = time.Now().Add(clientAPIRecheck)
	default:
		b.err, b.expires = noted(err), time.Now().Add(clientAPIRetry)
	}
}
