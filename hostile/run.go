//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// run is one run of the attacks against the service.
type run struct {
	service   *service
	strangers *strangersProcess
	group     *group
	probe     probe

	mu   sync.Mutex
	peak bytesOf // the peak resident memory since the last call of takePeak
	most bytesOf // the peak resident memory of the whole run
}

// watched starts to send the probe's requests and to record the service's
// memory. The returned function stop ends both.
func (r *run) watched(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var behind sync.WaitGroup
	behind.Go(func() { r.probe.run(ctx) })
	behind.Go(func() { r.watch(ctx) })
	return ctx, func() { cancel(); behind.Wait() }
}

// all makes all attacks and judges the result. If only is not empty, it is the
// name of the only attack to make.
func (r *run) all(ctx context.Context, only string) error {
	ctx, stop := r.watched(ctx)
	defer stop()
	f, err := r.figures(ctx, only)
	if err != nil {
		return r.ended(err)
	}
	fmt.Print(f)
	return f.judge()
}

// figures makes the attacks and returns the measurements.
func (r *run) figures(ctx context.Context, only string) (f figures, err error) {
	if f.fresh, err = r.settled(ctx); err != nil {
		return f, err
	}
	fmt.Printf("at the start: %s\n", f.fresh)
	list := attacks(tricks())
	if only != "" {
		list = slices.DeleteFunc(list, func(a attack) bool { return a.name != only })
		f.before, f.alone = f.fresh, true
	}
	fmt.Printf("%-10s %7s %7s %9s %6s  %s\n", "attack", "p50 ms", "p99 ms", "peak MB", "RSS MB", "answers; what the attack is")
	start := r.probe.mark()
	for _, a := range list {
		mark := r.probe.mark()
		if err := r.one(ctx, a, &f); err != nil {
			return f, err
		}
		switch a.name {
		case unknown:
			if f.before, err = r.settled(ctx); err != nil {
				return f, err
			}
			fmt.Printf("with full caches: %s\n", f.before)
		case "all":
			f.together = r.probe.since(mark)
		}
	}
	f.named = r.probe.since(start)
	f.failed, f.failure = r.probe.failed()
	if f.group, err = r.group.most(); err != nil {
		return f, err
	}
	if f.after, f.recovery, err = r.recovered(ctx, f.before); err != nil {
		return f, err
	}
	f.most = r.takeMost()
	f.killed, err = r.group.killed()
	return f, err
}

// one makes an attack and prints its effect.
func (r *run) one(ctx context.Context, a attack, f *figures) error {
	mark := r.probe.mark()
	r.takePeak()
	answers, err := r.strangers.attack(a.name)
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	now, err := r.service.rss()
	if err != nil {
		return err
	}
	if a.thousand {
		f.thousand = max(f.thousand, now)
	}
	t := r.probe.since(mark)
	fmt.Printf("%-10s %7.1f %7.1f %9.1f %6.1f  %s; %s\n", a.name, ms(t.p50), ms(t.p99), float64(r.takePeak())/1e6, float64(now)/1e6, answers, a.about)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		parts = append(parts, fmt.Sprintf("%d × %s", c.of[what], what))
	}
	return strings.Join(parts, ", ")
}

// watch records the resident memory of the service until ctx ends.
func (r *run) watch(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := r.service.rss()
		if err != nil {
			continue // the process has ended; another goroutine calls the method ended, which reports why
		}
		r.mu.Lock()
		r.peak, r.most = max(r.peak, now), max(r.most, now)
		r.mu.Unlock()
	}
}

func (r *run) takePeak() bytesOf {
	r.mu.Lock()
	defer r.mu.Unlock()
	peak := r.peak
	r.peak = 0
	return peak
}

func (r *run) takeMost() bytesOf {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// settled waits for two garbage collections. It returns the service's last
// state, but with the smallest heap size that it saw. That is about the size
// that a collection leaves. The last heap size may be larger, because the
// probe's requests allocate memory.
func (r *run) settled(ctx context.Context) (least state, err error) {
	first := -1
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		now, err := r.service.look()
		if err != nil {
			return state{}, err
		}
		if first < 0 {
			first, least = now.collected, now
		}
		heap := min(least.Heap, now.Heap)
		least = now
		least.Heap = heap
		if now.collected >= first+2 {
			return least, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return state{}, ctx.Err()
		}
	}
}

// recovered waits until the service uses about as few resources as it did
// earlier. The parameter before holds the earlier state. recovered gives up
// after about settleTime. It returns the last state, and how long it waited.
func (r *run) recovered(ctx context.Context, before state) (state, time.Duration, error) {
	start := time.Now()
	for {
		after, err := r.settled(ctx)
		if took := time.Since(start); err != nil || isBefore(before, after) || took > settleTime {
			return after, took, err
		}
	}
}

// ended waits up to one second for the end of the service's process. If the
// process ends, ended returns an error that says why. If the process still runs,
// ended returns err.
func (r *run) ended(err error) error {
	select {
	case <-r.service.exited:
	case <-time.After(time.Second):
		return err
	}
	if killed, _ := r.group.killed(); killed {
		return errKilled
	}
	return fmt.Errorf("the service has ended: %s\n%s", r.service.cmd.ProcessState, r.service.lastLines())
}

// errKilled says that the kernel killed the service because it used too much
// memory.
var errKilled = fmt.Errorf("the kernel killed the service, because it needed more memory than %s", bytesOf(memoryLimit))

// expectFaults attacks a service that was built without the bound on TLS
// handshakes. It returns an error if the attack seems harmless, because then
// this program would not notice a missing bound.
func (r *run) expectFaults(ctx context.Context) error {
	ctx, stop := r.watched(ctx)
	defer stop()
	err := r.spoil(ctx)
	if err == nil {
		return errors.New("the service without the bound on TLS handshakes passed, so this program would not notice that the bound is missing")
	}
	fmt.Println("as it should, the service without the bound on TLS handshakes failed:", err)
	return nil
}

// spoil makes the attack "junk" on the service without the bound on TLS
// handshakes. It returns an error if this service used too much memory.
func (r *run) spoil(ctx context.Context) error {
	var f figures
	for _, a := range attacks(tricks()) {
		if a.name != "junk" {
			continue
		}
		if err := r.one(ctx, a, &f); err != nil {
			return r.ended(err)
		}
	}
	f.most = r.takeMost()
	return errors.Join(f.memoryFaults()...)
}
