package keeper

import (
	"sync/atomic"
	"time"

	"matrixrtc-auth/leave"
)

// webhooks notices that the SFU reports nothing: its webhooks are not set up.
type webhooks struct {
	come   atomic.Bool // one has
	missed atomic.Bool // somebody came or went without one: Silent has been told
}

// overdue is how long after a delegation the SFU has reported its owner.
const overdue = 10 * time.Second

func (k *Keeper) silent() {
	if !k.webhooks.come.Load() && k.webhooks.missed.CompareAndSwap(false, true) && k.Silent != nil {
		k.Silent()
	}
}

// MissesWebhooks reports whether participants come and go on the SFU, and no
// webhook of it has come to this process.
func (k *Keeper) MissesWebhooks() bool { return k.webhooks.missed.Load() && !k.webhooks.come.Load() }

// cameUnreported looks for somebody in a room of whose coming nothing was
// reported. Who came before this process began was reported to another, and so
// may be everybody where others share the store.
func (k *Keeper) cameUnreported(jobs []leave.Job, answers []leave.Answer) {
	if k.Shared {
		return
	}
	now, came := k.now(), k.started.Add(overdue)
	for i, job := range jobs {
		if answers[i].Session != "" && job.AcceptedAt.After(came) && now.Sub(job.AcceptedAt) > overdue {
			k.silent()
			return
		}
	}
}

// leftUnreported is told of a second look that has found a member gone: no
// process has got a report of that.
func (k *Keeper) leftUnreported(j leave.Job, a leave.Answer) {
	if j.State == leave.Leaving && j.LeftSession == "" && !j.ClearLeave && a.Outage == 0 {
		k.silent()
	}
}
