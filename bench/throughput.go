package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// target holds the goals for the service at one number of connections, compared
// with baseline (b). If baseline (b) answers 100 requests per second, the
// service must answer at least 100 × rate. If baseline (b) needs 100 µs of CPU
// time per request, the service may need at most 100 µs × cpu. If cpu is 0,
// there is no goal for CPU time.
type target struct {
	connections int
	rate        float64
	cpu         float64
}

const floor = 1.0

// targets returns the targets. With one connection, there is no target for CPU
// time. The reason is that sleeping and waking then take most of the CPU time,
// in the service and in baseline (b).
func targets() []target { return []target{{1, 1.25, 0}, {16, 1.25, 0.70}, {64, 1.25, 0.70}} }

// series are the repeated measurements of one token server (see subject) at one
// number of connections.
type series []*measurement

type measurement struct {
	loadResult
	opened int64 // how many connections the subject opened to the homeserver
	rss    bytesOf
}

func (s series) rate() float64 {
	return medianOf(s, func(m *measurement) float64 { return float64(m.Requests) / m.Elapsed.Seconds() })
}

func (s series) duration(get func(*measurement) time.Duration) time.Duration { return medianOf(s, get) }

// cpu returns the CPU time per request. process is 0 for the measured token
// server, 1 for the homeserver, and 2 for the load generator.
func (s series) cpu(process int) time.Duration {
	return s.duration(func(m *measurement) time.Duration { return m.CPU[process] / time.Duration(m.Requests) })
}

func (s series) opened() int64 { return medianOf(s, func(m *measurement) int64 { return m.opened }) }

func (s series) rss() bytesOf { return medianOf(s, func(m *measurement) bytesOf { return m.rss }) }

// point identifies a series of measurements in the tables: by the letter of the
// measured program (see legend), and by the number of connections.
type point struct {
	letter      string
	connections int
}

// legend explains the letters of the compared programs. The report repeats it
// in several sections.
const legend = "(a) is a handler that verifies nobody. (b) is the same handler, but it asks the homeserver once for each token. (c) is this service. ([What is compared](#what-is-compared) says more.)"

// throughput measures three subjects, one after another: the baselines (a) and
// (b), and the service (c).
func (l *lab) throughput(ctx context.Context) (string, error) {
	all := map[point]series{}
	for i := range l.opts.repeats {
		for _, t := range targets() {
			for _, letter := range []string{"a", "b", "c"} {
				m, err := l.measureOnce(ctx, letter, t.connections)
				if err != nil {
					return "", err
				}
				p := point{letter, t.connections}
				all[p] = append(all[p], m)
				l.say("repeat %d, %d connections, (%s): %.0f requests/s, %s µs of CPU each",
					i+1, t.connections, letter, series{m}.rate(), us(series{m}.cpu(0)))
			}
		}
	}
	return throughputSection(all, l.opts), nil
}

// measureOnce starts a token server (a subject), sends load to it, and stops it.
func (l *lab) measureOnce(ctx context.Context, letter string, connections int) (*measurement, error) {
	s, err := l.start(ctx, letter)
	if err != nil {
		return nil, err
	}
	m, err := l.observe(ctx, s, connections)
	if stopErr := s.stop(); err == nil && stopErr != nil {
		return nil, fmt.Errorf("subject (%s) ended with an error: %w", letter, stopErr)
	}
	return m, err
}

// observe sends load to a running subject, the service or a baseline. It also
// counts the connections that the subject has opened to the homeserver since
// the subject's start.
func (l *lab) observe(ctx context.Context, s *subject, connections int) (*measurement, error) {
	before, err := l.homeserver.counts()
	if err != nil {
		return nil, err
	}
	result, err := l.putAll(ctx, s, loadPlan{Connections: connections, Proxied: s.letter == proxiedLetter || s.letter == strangersLetter, Strangers: s.letter == strangersLetter, Warmup: l.opts.warmup, Duration: l.opts.duration})
	if err != nil {
		return nil, err
	}
	after, err := l.homeserver.counts()
	if err != nil {
		return nil, err
	}
	memory, err := memoryOf(s.pid)
	if err != nil {
		return nil, err
	}
	// The subject (the token server) opened one more connection to the homeserver:
	// in [lab.prove], before the count began.
	m := &measurement{loadResult: *result, opened: after.Accepted - before.Accepted + 1, rss: memory.RSS}
	if s.letter == "c" && m.opened > int64(connections) {
		l.fault("the service (c) opened %d connections to the homeserver, more than the %d verifications that it makes at a time", m.opened, connections)
	}
	return m, nil
}

func throughputSection(all map[point]series, opts options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Throughput\n\nHow many tokens each program gives in a second, and what a token costs it. "+legend+" The requests are `POST /get_token`. Each has an OpenID token of its own, and no user has full access. The numbers are medians of %d runs of %v after %v of warm-up. Half of the requests had their answer within p50, and 99 %% within p99. RSS is the resident memory of the program.\n\n",
		opts.repeats, opts.duration, opts.warmup)
	b.WriteString(throughputTable(all))
	b.WriteString("\nThe next table compares the programs. \"c÷b\" is the value of (c), divided by the value of (b). A rate should be at least its floor and its goal, and a CPU time at most its goal ([what the goals say](#what-the-goals-say)). A dash means that there is no goal.\n\n")
	b.WriteString(ratioTable(all))
	return b.String()
}

func throughputTable(all map[point]series) string {
	rows := [][]string{{"connections, program", "requests/s", "p50 ms", "p99 ms", "CPU µs per request",
		"CPU µs of the homeserver", "CPU µs of the load generator", "RSS after the runs", "connections opened to the homeserver"}}
	for _, t := range targets() {
		for _, letter := range []string{"a", "b", "c"} {
			s := all[point{letter, t.connections}]
			opened := strconv.FormatInt(s.opened(), 10)
			if letter == "a" {
				opened = "–"
			}
			rows = append(rows, []string{
				fmt.Sprintf("%d (%s)", t.connections, letter),
				fmt.Sprintf("%.0f", s.rate()),
				ms(s.duration(func(m *measurement) time.Duration { return m.P50 })),
				ms(s.duration(func(m *measurement) time.Duration { return m.P99 })),
				us(s.cpu(0)), us(s.cpu(1)), us(s.cpu(2)), s.rss().String(), opened,
			})
		}
	}
	return table(rows...)
}

func ratioTable(all map[point]series) string {
	rows := [][]string{{"connections", "requests/s, c÷b", "floor of requests/s", "goal of requests/s", "CPU time, c÷b", "goal of CPU time", "requests/s, c÷a", "CPU time, c÷a"}}
	for _, t := range targets() {
		a, b, c := all[point{"a", t.connections}], all[point{"b", t.connections}], all[point{"c", t.connections}]
		ratio, cpu := c.rate()/b.rate(), float64(c.cpu(0))/float64(b.cpu(0))
		cpuGoal := "–"
		if t.cpu > 0 {
			cpuGoal = fmt.Sprintf("%.2f: %s", t.cpu, verdict(cpu <= t.cpu))
		}
		rows = append(rows, []string{
			strconv.Itoa(t.connections),
			fmt.Sprintf("**%.2f**", ratio),
			fmt.Sprintf("%.1f: %s", floor, verdict(ratio >= floor)),
			fmt.Sprintf("%.2f: %s", t.rate, verdict(ratio >= t.rate)),
			fmt.Sprintf("**%.2f**", cpu),
			cpuGoal,
			fmt.Sprintf("%.2f", c.rate()/a.rate()),
			fmt.Sprintf("%.2f", float64(c.cpu(0))/float64(a.cpu(0))),
		})
	}
	return table(rows...)
}
