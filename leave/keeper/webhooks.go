package keeper

import (
	"sync/atomic"
	"time"

	"matrixrtc-auth/leave"
)

// webhooks notices if the SFU reports nothing because its webhooks are not set
// up.
type webhooks struct {
	come   atomic.Bool // a webhook has arrived
	missed atomic.Bool // a participant came or went without one, and Silent was called
}

// overdue is how long after a delegation the SFU should have reported its
// participant.
const overdue = 10 * time.Second

func (k *Keeper) silent() {
	if !k.webhooks.come.Load() && k.webhooks.missed.CompareAndSwap(false, true) && k.Silent != nil {
		k.Silent()
	}
}

// MissesWebhooks reports whether participants come and go on the SFU while no
// webhook has reached this process.
func (k *Keeper) MissesWebhooks() bool { return k.webhooks.missed.Load() && !k.webhooks.come.Load() }

// cameUnreported searches a room for a participant who has joined without a
// report to this process. A participant who was there before this process
// started was reported to another process. If other processes share the store,
// any report may have reached them.
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

// leftUnreported records that a second look found a member gone whose leaving
// was reported to no process.
func (k *Keeper) leftUnreported(j leave.Job, a leave.Answer) {
	if j.State == leave.Leaving && j.LeftSession == "" && !j.ClearLeave && a.Outage == 0 {
		k.silent()
	}
}
