package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	startRuns  = 30
	startLimit = 30 * time.Millisecond
	idleLimit  = 26e6 // the target for the memory of the idle service, in bytes
)

// startup holds the start times and the memory of the service in several runs
// with the same configuration.
type startup struct {
	name  string
	times []time.Duration // in ascending order
	idle  []memory
}

// starts measures the time from exec until /healthz first answers 200, and the
// memory of the service at that moment. It measures two configurations. One has
// only the required variables, as the image has by default. The other also has
// a private CA. With a private CA, the service reads the system's certificates
// when it starts.
func (l *lab) starts(ctx context.Context) (string, error) {
	var all []*startup
	for _, s := range []struct {
		name string
		env  []string
	}{
		{"required variables alone", l.requiredEnv("bench.invalid")},
		{"and `LIVEKIT_CA_FILE`", l.serviceEnv("bench.invalid")},
	} {
		runs, err := l.startOften(ctx, s.name, s.env)
		if err != nil {
			return "", err
		}
		l.say("start with %s: %v, idle %v", s.name, median(runs.times), runs.rss())
		all = append(all, runs)
	}
	return startSection(all), nil
}

func (l *lab) startOften(ctx context.Context, name string, env []string) (*startup, error) {
	runs := &startup{name: name}
	for range startRuns {
		start := time.Now()
		s, err := l.launchService(ctx, env)
		if err != nil {
			return nil, err
		}
		runs.times = append(runs.times, time.Since(start))
		m, err := memoryOf(s.pid)
		if err != nil {
			return nil, err
		}
		runs.idle = append(runs.idle, m)
		if err := s.stop(); err != nil {
			return nil, fmt.Errorf("the service ended with an error: %w", err)
		}
	}
	slices.Sort(runs.times)
	return runs, nil
}

func (s *startup) rss() bytesOf { return medianOf(s.idle, func(m memory) bytesOf { return m.RSS }) }

func (s *startup) anon() bytesOf { return medianOf(s.idle, func(m memory) bytesOf { return m.Anon }) }

func startSection(all []*startup) string {
	rows := [][]string{{"configuration", "ms until ready", "ms until 90 % of the starts were ready", "ready ≤ 30 ms", "RSS", "heap and stacks in it", "RSS ≤ 26 MB"}}
	for _, s := range all {
		ready := median(s.times)
		rows = append(rows, []string{
			s.name, ms(ready), ms(percentile(s.times, 90)), verdict(ready <= startLimit),
			s.rss().String(), s.anon().String(), verdict(s.rss() <= idleLimit),
		})
	}
	return fmt.Sprintf("### Start and idle memory\n\nHow fast the service starts, and how much memory it has before the first request. It is ready when `/healthz` answers 200 for the first time; the time begins with exec. The resident memory (RSS) is measured when the service is ready. The service started %d times with each configuration; the table shows medians.\n\n%s", startRuns, table(rows...))
}
