package keeper

import (
	"context"
	"errors"
	"fmt"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// Report applies a webhook to the job of its participant, if there is one. It returns
// as soon as the store has the changed job, or after a second at the latest. The keeper
// does the job's actions later. Report returns [leave.ErrAway] if the SFU must send the
// webhook again. There are two such cases:
//   - The store does not answer, and this process does not know the job.
//   - Other writers were faster at every try.
//
// A webhook reaches one replica only. This replica writes the job to the common store,
// and wakes its own keeper. Another replica may be working on the job at the same time.
// When that replica writes the job, it gets [leave.ErrConflict], and reads the job
// again (Keeper.note).
func (k *Keeper) Report(ctx context.Context, e sfu.Event) error {
	k.init()
	k.webhooks.come.Store(true)
	if e.Kind == sfu.KindJoined {
		k.presence.Doubt(e.Room)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	err := k.report(ctx, e)
	switch {
	case errors.Is(err, leave.ErrNotFound) && !errors.Is(err, leave.ErrAway):
		return nil
	case errors.Is(err, leave.ErrConflict):
		return fmt.Errorf("%w (%w)", leave.ErrAway, err)
	}
	return err
}

func (k *Keeper) report(ctx context.Context, e sfu.Event) error {
	job, err := k.Store.Get(ctx, leave.Key{Room: e.Room, Identity: e.Identity})
	if err != nil {
		return err
	}
	err = k.retry(ctx, job, func(ctx context.Context, current leave.Job) error {
		next := current.Reported(k.now(), e, k.Grace)
		_, err := k.Store.Save(ctx, next)
		if err == nil && next.State != current.State {
			k.logState(current, next)
		}
		return err
	})
	k.wake()
	return err
}
