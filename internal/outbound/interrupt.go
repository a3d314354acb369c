package outbound

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/internal/deadline"
)

// interruptDelay is how long a request must be in progress before its
// connection watches for the end of its context. The context's deadline applies
// from the start, because the connection has the same deadline.
const interruptDelay = 50 * time.Millisecond

// interrupt ends the reads and writes of a connection when the context of the
// current request ends. Registering with a context would take 2 % of the CPU
// time of a request for a token. Therefore interrupt registers only for a
// request that is still in progress after interruptDelay. fire must be set, and
// all other fields start at zero.
type interrupt struct {
	fire func() // ends the connection's reads and writes

	mu         sync.Mutex
	ctx        context.Context // the context of the request in progress; nil if there is none
	unregister func() bool     // undoes the registration with ctx; nil if there is none
	timer      *time.Timer     // fires after interruptDelay; nil until the first request
}

// begin must be called at the start of each request. ctx is the request's context.
func (i *interrupt) begin(ctx context.Context) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ctx = ctx
	if i.timer == nil {
		i.timer = time.AfterFunc(interruptDelay, i.register)
	} else {
		i.timer.Reset(interruptDelay)
	}
}

// register registers with ctx, if the request is still in progress. From then
// on, the end of ctx interrupts the request.
func (i *interrupt) register() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ctx != nil && i.unregister == nil {
		i.unregister = deadline.AfterCancel(i.ctx, i.fire)
	}
}

// end must be called at the end of a request. It returns false if the end of
// ctx has interrupted the request.
func (i *interrupt) end() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	unregister := i.unregister
	i.ctx, i.unregister = nil, nil
	i.timer.Stop()
	return unregister == nil || unregister()
}
