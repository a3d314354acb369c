package outbound

import (
	"context"
	"net/netip"
)

// Asker is the client network for whose request this service asks a host.
// Askers share the bounds on connections fairly. The zero Asker stands for
// requests that this service makes for itself.
type Asker struct{ Network netip.Prefix }

type askerKey struct{}

// For returns a context for requests that this service makes for asker.
func For(ctx context.Context, asker Asker) context.Context {
	if AskerOf(ctx) == asker {
		return ctx
	}
	return context.WithValue(ctx, askerKey{}, asker)
}

// AskerOf returns the asker for whom this service makes requests with ctx.
func AskerOf(ctx context.Context) Asker {
	asker, _ := ctx.Value(askerKey{}).(Asker)
	return asker
}
