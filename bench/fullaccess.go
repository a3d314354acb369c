package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// roomMemory is how long the service remembers that a room exists.
	roomMemory = 5 * time.Second
	// fullAccessFloor is the least throughput of users with full access, relative
	// to that of users without.
	fullAccessFloor       = 0.9
	fullAccessConnections = 64
)

// fullAccess measures how much longer a token takes if the service must create
// the room first. All users ask for the same room.
func (l *lab) fullAccess(ctx context.Context) (string, error) {
	var restricted, full series
	var rooms, allowed int64
	for i := range l.opts.repeats {
		m, err := l.measureOnce(ctx, "c", fullAccessConnections)
		if err != nil {
			return "", err
		}
		restricted = append(restricted, m)
		m, created, may, err := l.measureFullAccess(ctx)
		if err != nil {
			return "", err
		}
		full = append(full, m)
		rooms, allowed = rooms+created, allowed+may
		l.say("repeat %d: restricted %.0f, full access %.0f requests/s, %d CreateRoom", i+1, restricted[i:].rate(), full[i:].rate(), created)
	}
	return fullAccessSection(restricted, full, rooms, allowed), nil
}

// measureFullAccess measures users with full access. It also returns how many
// requests for a room the SFU got, and how many are allowed.
func (l *lab) measureFullAccess(ctx context.Context) (m *measurement, created, allowed int64, err error) {
	before, err := l.sfu.counts()
	if err != nil {
		return nil, 0, 0, err
	}
	start := time.Now()
	s, err := l.launchService(ctx, l.serviceEnv(l.homeserver.Addr))
	if err != nil {
		return nil, 0, 0, err
	}
	defer s.stop()
	if err := l.prove(ctx, s); err != nil {
		return nil, 0, 0, err
	}
	if m, err = l.observe(ctx, s, fullAccessConnections); err != nil {
		return nil, 0, 0, err
	}
	after, err := l.sfu.counts()
	if err != nil {
		return nil, 0, 0, err
	}
	created, allowed = after.Requests-before.Requests, 1+int64(time.Since(start)/roomMemory)
	if created < 1 || created > allowed {
		l.fault("the SFU was asked for the room %d times in %v, want 1 to %d", created, time.Since(start), allowed)
	}
	return m, created, allowed, nil
}

func fullAccessSection(restricted, full series, rooms, allowed int64) string {
	share := full.rate() / restricted.rate()
	return fmt.Sprintf("### Full access, one room\n\nWhat a token costs the service if its user has full access, compared with a token of a restricted user. For full access the service creates the room on LiveKit before it returns the token. It does not ask again for a room that LiveKit confirmed less than %[2]v ago. The load comes over %[1]d connections.\n\n%[3]s",
		fullAccessConnections, roomMemory, table(
			[]string{"users", "requests/s", "p99 ms", "CPU µs per request", "CreateRoom calls"},
			[]string{"restricted", fmt.Sprintf("%.0f", restricted.rate()), ms(restricted.duration(p99)), us(restricted.cpu(0)), "0"},
			[]string{"full access", fmt.Sprintf("%.0f", full.rate()), ms(full.duration(p99)), us(full.cpu(0)),
				fmt.Sprintf("%d of at most %d", rooms, allowed)},
			[]string{"ratio", fmt.Sprintf("%.2f", share), fmt.Sprintf("target %.1f %s", fullAccessFloor, verdict(share >= fullAccessFloor)), "", ""},
		))
}

func p99(m *measurement) time.Duration { return m.P99 }
