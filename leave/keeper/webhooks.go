package keeper

import (
	"sync/atomic"
	"time"

	"matrixrtc-auth/leave"
)

// webhooks records whether webhooks arrive. If none arrives, the operator has probably
// not set up webhooks in the SFU.
type webhooks struct {
	come   atomic.Bool // whether a webhook has arrived
	missed atomic.Bool // whether a participant has come or gone while no webhook had arrived
}

// overdue is how long the SFU may take to report a join. This time begins at the
// delegation, and ends with the webhook that the participant has joined.
const overdue = 10 * time.Second

// silent calls the function in the field Silent. It does nothing if a webhook has
// arrived since the start, or if it has already called that function.
func (k *Keeper) silent() {
	if !k.webhooks.come.Load() && k.webhooks.missed.CompareAndSwap(false, true) && k.Silent != nil {
		k.Silent()
	}
}

// MissesWebhooks reports whether participants come and go on the SFU while no webhook
// has reached this process.
func (k *Keeper) MissesWebhooks() bool { return k.webhooks.missed.Load() && !k.webhooks.come.Load() }

// cameUnreported calls k.silent if a participant has joined, and this process got no
// webhook about the join. It does not count participants who may have joined before
// this process started. If other processes share the store, cameUnreported does
// nothing, because LiveKit may have sent the webhooks to them.
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

// leftUnreported calls silent if a participant has left, and no process got a webhook
// about that. It does so only when the SFU has said twice that the participant is gone.
func (k *Keeper) leftUnreported(j leave.Job, a leave.Answer) {
	if j.State == leave.Leaving && j.LeftSession == "" && !j.ClearLeave && a.Outage == 0 {
		k.silent()
	}
}
