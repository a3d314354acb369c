package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// roomMemory is how long the service remembers that a room exists.
	roomMemory = 5 * time.Second
	// fullAccessFloor is the lowest acceptable ratio of two rates: the tokens per
	// second for users with full access, divided by the tokens per second for
	// other users.
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

// measureFullAccess measures token requests of users with full access. It also
// returns two counts: created is how many times the service asked the SFU for
// the room, and allowed is how many such calls are acceptable in the time of
// the measurement.
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
		l.fault("the service asked the SFU %d times in %v for the room, want 1 to %d times", created, time.Since(start), allowed)
	}
	return m, created, allowed, nil
}

func fullAccessSection(restricted, full series, rooms, allowed int64) string {
	share := full.rate() / restricted.rate()
	return fmt.Sprintf("### Full access, one room\n\nWhat a token costs the service if its user has full access, compared with a token of a user without it (restricted). For full access the service creates the room on LiveKit before it returns the token. All users ask for the same room. If LiveKit confirmed the room less than %v ago, the service does not ask LiveKit again. The load comes over %d connections; p99 is the time within which 99 %% of the requests had their answer.\n\n%s\n",
		roomMemory, fullAccessConnections, table(
			[]string{"users", "requests/s", "p99 ms", "CPU µs per request"},
			[]string{"restricted", fmt.Sprintf("%.0f", restricted.rate()), ms(restricted.duration(p99)), us(restricted.cpu(0))},
			[]string{"full access", fmt.Sprintf("%.0f", full.rate()), ms(full.duration(p99)), us(full.cpu(0))},
		)) + fmt.Sprintf("The rate with full access is %.2f of the rate of restricted users. It should be at least %.1f: %s. In %d runs with full access the service asked LiveKit %d times for the room. At most %d times were allowed: once at the start of each run, and once more for each further %v.\n",
		share, fullAccessFloor, verdict(share >= fullAccessFloor), len(full), rooms, allowed, roomMemory)
}

func p99(m *measurement) time.Duration { return m.P99 }
