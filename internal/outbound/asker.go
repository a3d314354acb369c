package outbound

import (
	"context"
	"net/netip"
)

// Asker is the IP network of a client. To answer the client's request, this service
// sends requests to other hosts. Askers share the bounds on the connections to
// these hosts fairly. The zero Asker stands for requests that this service makes
// for itself.
type Asker struct{ Network netip.Prefix }

type askerKey struct{}

// For returns a context for requests that this service sends because of a request
// from asker.
func For(ctx context.Context, asker Asker) context.Context {
	if AskerOf(ctx) == asker {
		return ctx
	}
	return context.WithValue(ctx, askerKey{}, asker)
}

// AskerOf returns the asker of ctx, or the zero Asker if ctx has none. See [For].
func AskerOf(ctx context.Context) Asker {
	asker, _ := ctx.Value(askerKey{}).(Asker)
	return asker
}
