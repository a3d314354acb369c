package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// These constants describe the loads and the targets of a measurement with
// several replicas that share one Redis.
const (
	scaleReplicas  = 3
	longLeaves     = 100_000 // the number of leaves with a delay of an hour, the delay that Element Call uses
	longRooms      = 2_000
	shortLeaves    = 5_000 // the number of leaves with a delay of 18 s
	scaleRooms     = longRooms + shortLeaves/50
	quietWindow    = time.Minute // in this time, the replicas ask the SFU about each room once
	afterStorm     = 40 * time.Second
	scaleTime      = 10 * time.Minute
	mostRedisBytes = 400.0 // the target for the memory of each leave in Redis, in bytes
	mostTokenTime  = 100 * time.Millisecond
	// mostLate, multiplied by a leave's delay, is the longest acceptable time
	// between two restarts of the leave.
	mostLate = 0.5
)

// scale measures three replicas that share one Redis. It measures the cost of
// delegated leaves, and the start of a conference while one replica is killed.
func (l *lab) scale(ctx context.Context, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, scaleTime)
	defer cancel()
	text, err := l.measureScale(ctx)
	if err != nil {
		return err
	}
	text = machine() + "\n" + text
	fmt.Fprint(stdout, text)
	if l.opts.write {
		if err := writeBlock(filepath.Join(l.root, "docs", "scaling.md"), text); err != nil {
			return err
		}
	}
	if len(l.faults) > 0 {
		return errors.New("wrong:\n" + strings.Join(l.faults, "\n"))
	}
	return nil
}

func (l *lab) measureScale(ctx context.Context) (string, error) {
	// The fake homeserver, the fake SFU and the clients run in this process. They
	// share the processors with the replicas, and hold 107,000 leaves. With Go's
	// default of 100 %, garbage collections in this process would be four times
	// as frequent.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	r, err := l.startRedis(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.stop() }()
	w, err := l.openReplicas(ctx, scaleReplicas,
		"LIVEKIT_STORE=redis", "LIVEKIT_REDIS_URL=redis://"+r.addr, "LIVEKIT_DELAYED_EVENT_RATE=10000")
	if err != nil {
		return "", err
	}
	defer w.close()
	filled, err := w.fillScale(ctx, r)
	if err != nil {
		return "", err
	}
	quiet, err := w.quiet(ctx, r)
	if err != nil {
		return "", err
	}
	storm, err := w.storm(ctx, r)
	if err != nil {
		return "", err
	}
	late := w.lateness()
	return filled + "\n" + quiet + "\n" + storm + "\n" + late, nil
}

// fillScale hands all leaves over to the service. It returns a text that says
// how much memory each leave takes in Redis.
func (w *leaveWorld) fillScale(ctx context.Context, r *redisServer) (string, error) {
	before, err := r.info("memory", "used_memory")
	if err != nil {
		return "", err
	}
	w.say("%d leaves of an hour and %d of %v are handed over", longLeaves, shortLeaves, shortDelay)
	begin := time.Now()
	if err := w.handOver(ctx, 0, longLeaves, longRooms, time.Hour); err != nil {
		return "", err
	}
	if err := w.handOver(ctx, longLeaves, shortLeaves, scaleRooms, shortDelay); err != nil {
		return "", err
	}
	took := time.Since(begin)
	const all = longLeaves + shortLeaves
	if err := w.awaitConnected(ctx, all); err != nil {
		return "", err
	}
	if err := r.awaitSecondForm(); err != nil {
		return "", err
	}
	after, err := r.info("memory", "used_memory")
	if err != nil {
		return "", err
	}
	each := float64(after-before) / all
	return fmt.Sprintf("%d replicas share one Redis. In %[5]v clients delegated to them %[2]d leaves of 1 h and %[3]d leaves of %[4]v, all through `/sfu/get`.\n\n%[6]s",
		scaleReplicas, longLeaves, shortLeaves, shortDelay, took.Round(time.Second), table(
			[]string{"", "measured", "budget", "verdict"},
			[]string{"Redis' memory for each leave", fmt.Sprintf("%.0f bytes", each), fmt.Sprintf("%.0f bytes", mostRedisBytes), verdict(each <= mostRedisBytes)},
			[]string{"Redis' memory in all", bytesOf(after).String(), "", ""},
		)), nil
}

// usage is what the replicas and Redis have used since they started.
type usage struct {
	at             time.Time
	redis, service time.Duration // the CPU time of Redis, and of all replicas together
	commands       int64         // the number of commands that Redis has run
	// sfu is the number of calls to the SFU. answers is the number of requests about
	// delayed events that the homeserver has answered, and restarts is how many of
	// them were restarts.
	sfu, restarts, answers int
}

func (w *leaveWorld) usage(r *redisServer) (u usage, err error) {
	if u.redis, err = cpuTime(r.pid); err != nil {
		return u, err
	}
	for _, s := range w.replicas {
		t, err := cpuTime(s.pid)
		if err != nil {
			return u, err
		}
		u.service += t
	}
	u.commands, err = r.info("stats", "total_commands_processed")
	u.at, u.restarts = time.Now(), w.homeserver.Asked("restart")
	u.answers = u.restarts + w.homeserver.Asked("send") + w.homeserver.Asked("cancel")
	for _, call := range []string{"ListParticipants", "GetParticipant", "UpdateSubscriptions", "CreateRoom", "ListRooms"} {
		u.sfu += w.sfu.Calls(call)
	}
	return u, err
}

// quiet measures the cost of one minute. In this minute, nobody joins or
// leaves.
func (w *leaveWorld) quiet(ctx context.Context, r *redisServer) (string, error) {
	w.say("nothing happens for %v", quietWindow)
	before, err := w.usage(r)
	if err != nil {
		return "", err
	}
	if err := pause(ctx, quietWindow); err != nil {
		return "", err
	}
	after, err := w.usage(r)
	if err != nil {
		return "", err
	}
	seconds := after.at.Sub(before.at).Seconds()
	redis, service := (after.redis - before.redis).Seconds(), (after.service - before.service).Seconds()
	restarts := float64(after.restarts - before.restarts)
	return fmt.Sprintf("Then nobody came or went for %v. This was the work in that time:\n\n%s", quietWindow, table(
		[]string{"", "per second"},
		[]string{"restarts at the homeserver", fmt.Sprintf("%.0f", restarts/seconds)},
		[]string{"calls to LiveKit", fmt.Sprintf("%.1f", float64(after.sfu-before.sfu)/seconds)},
		[]string{"commands of Redis, including those in scripts", fmt.Sprintf("%.0f", float64(after.commands-before.commands)/seconds)},
		[]string{"CPU time of Redis", fmt.Sprintf("%.1f %% of a core, which is %.0f µs for each restart", 100*redis/seconds, 1e6*redis/restarts)},
		[]string{"CPU time of all replicas", fmt.Sprintf("%.1f %% of a core, which is %.0f µs for each restart", 100*service/seconds, 1e6*service/restarts)},
	)), nil
}

// lateness returns a text that says how late restarts were during the whole
// measurement.
func (w *leaveWorld) lateness() string {
	var shares []float64
	worst := 0.0
	for i := range longLeaves + shortLeaves + stormPeople {
		f := w.homeserver.Fate(delayID(i))
		if f.Over != "" {
			w.fault("the delayed event of leave %d was %s, although its member is still in the call", i, f.Over)
		}
		share := float64(f.Late) / float64(time.Hour)
		if isShort(i) {
			share = float64(f.Late) / float64(shortDelay)
			shares = append(shares, share)
		}
		worst = max(worst, share)
	}
	slices.Sort(shares)
	return fmt.Sprintf("During the whole benchmark, no leave was without a restart for longer than %.0f %% of its delay "+
		"(99 %% of the leaves of %v: %.0f %%). The budget is %.0f %%: %s. No leave of a member who was still there was sent or lost.\n",
		100*worst, shortDelay, 100*percentile(shares, 99), 100*mostLate, verdict(worst <= mostLate))
}

// isShort reports whether the i-th leave has the short delay of 18 s.
func isShort(i int) bool { return i >= longLeaves && i < longLeaves+shortLeaves }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
