package presence

import (
	"context"
	"sync"
	"time"
)

// outage records whether the SFU answers. While it does not answer, the keeper changes
// jobs by [leave.Job.Unanswered].
type outage struct {
	mu    sync.Mutex
	down  bool
	since time.Time     // when the SFU last went away or came back
	began chan struct{} // closed when the SFU goes away; nil while no goroutine waits for the channel
	// unauthorized says that the SFU answers, but refuses our key.
	unauthorized bool
}

func (o *outage) begin(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return
	}
	o.down, o.since = true, now
	if o.began != nil {
		close(o.began)
		o.began = nil
	}
}

func (o *outage) end(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down, o.since = false, now
}

func (o *outage) state() (down bool, since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.down, o.since
}

func (o *outage) setUnauthorized(is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unauthorized = is
}

// await waits until the SFU is away, and then returns true. If ctx ends before that, it
// returns false.
func (o *outage) await(ctx context.Context) bool {
	o.mu.Lock()
	if o.down {
		o.mu.Unlock()
		return ctx.Err() == nil
	}
	if o.began == nil {
		o.began = make(chan struct{})
	}
	began := o.began
	o.mu.Unlock()
	select {
	case <-ctx.Done():
		return false
	case <-began:
		return true
	}
}
