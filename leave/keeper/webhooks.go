package keeper

import (
	"sync/atomic"
	"time"

	"matrixrtc-auth/leave"
)

// webhooks records whether webhooks come, to notice an SFU whose webhooks are not
// set up.
type webhooks struct {
	come   atomic.Bool // whether a webhook has arrived
	missed atomic.Bool // whether Silent was called, because a participant came or went without a webhook
}

// overdue is how long after a delegation the SFU may take to report that the
// participant has joined.
const overdue = 10 * time.Second

// silent calls Silent, unless it was called before or a webhook has come.
func (k *Keeper) silent() {
	if !k.webhooks.come.Load() && k.webhooks.missed.CompareAndSwap(false, true) && k.Silent != nil {
		k.Silent()
	}
}

// MissesWebhooks reports whether participants come and go on the SFU while no
// webhook has reached this process.
func (k *Keeper) MissesWebhooks() bool { return k.webhooks.missed.Load() && !k.webhooks.come.Load() }

// cameUnreported calls silent if a participant has joined a room without a report
// to this process. It does not count participants who may have joined before this
// process started. It does nothing if other processes share the store, because
// the reports may have reached them.
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

// leftUnreported calls silent if a participant has left, and no process got a
// webhook about that. It counts only participants of whom the SFU has said twice
// that they are gone.
func (k *Keeper) leftUnreported(j leave.Job, a leave.Answer) {
	if j.State == leave.Leaving && j.LeftSession == "" && !j.ClearLeave && a.Outage == 0 {
		k.silent()
	}
}
