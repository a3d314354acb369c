package outbound

import (
	"context"
	"net/netip"
)

// Asker is on whose behalf a host is asked: a client's network. What connections
// share is shared between askers; the zero value is one as well, for what this
// service asks by itself.
type Asker struct{ Network netip.Prefix }

type askerKey struct{}

// For has requests be on behalf of asker.
func For(ctx context.Context, asker Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, asker)
}

// AskerOf returns on whose behalf requests are.
func AskerOf(ctx context.Context) Asker {
	asker, _ := ctx.Value(askerKey{}).(Asker)
	return asker
}
