package leave

import (
	"sync"
	"sync/atomic"
	"time"

	"matrixrtc-auth/sfu"
)

// silence notices that the SFU reports nothing: its webhooks are not set up.
type silence struct {
	heard atomic.Bool // a report has come
	once  sync.Once   // Silent has been told
}

// overdue is how long after a delegation the SFU has reported its owner.
const overdue = 10 * time.Second

func (k *Keeper) silent() {
	if k.Silent != nil && !k.silence.heard.Load() {
		k.silence.once.Do(k.Silent)
	}
}

// listen looks for somebody in a room of whose coming nothing was reported.
// Who came before this process began was reported to another, and so may be
// everybody where others share the store.
func (k *Keeper) listen(jobs []Job, sessions map[sfu.Identity]string, now time.Time) {
	if k.Shared {
		return
	}
	came := k.started.Add(overdue)
	for _, job := range jobs {
		if sessions[job.Identity] != "" && job.AcceptedAt.After(came) && now.Sub(job.AcceptedAt) > overdue {
			k.silent()
			return
		}
	}
}

// missed is told of a member whom two looks have found gone: no process has
// got a report of that.
func (k *Keeper) missed(j Job, outage time.Duration) {
	if j.State == Leaving && j.LeftSession == "" && !j.ClearLeave && outage == 0 {
		k.silent()
	}
}
