//go:build linux

package main

import (
	"context"
	"strings"
	"sync"
	"time"
)

// attack is one way to attack the service. run makes the attack, and ends when
// ctx ends or when it has made all of its requests.
type attack struct {
	name, about string
	run         func(ctx context.Context, answers *counts)
	most        time.Duration // the longest time of the attack
	// If thousand is true, the attack makes the service ask 1,000 servers, each
	// server once. After such an attack, the service must use little memory.
	thousand bool
}

// These times bound how long the attacks take. allTime is for the attack that runs
// several attacks at the same time. mostTime is for attacks with a fixed number of
// requests, which end earlier if they have made all of these. attackTime is for
// most other attacks.
const (
	attackTime = 2 * time.Second
	allTime    = 10 * time.Second
	mostTime   = 20 * time.Second
)

// attacks returns all attacks, in the order of the run. The first attack only
// fills the service's caches. The run compares the service's state after the
// first attack with its state at the end.
func attacks(tricks map[string]trick) []attack {
	const half = "POST /sfu/get HTTP/1.1\r\nHost: service\r\nContent-Length: 60000\r\n"
	return append(strangersAttacks(tricks, 64),
		holding("quiet", "1,000 connections that say nothing", "", true),
		holding("half", "1,000 connections with half a header", half, true),
		holding("bodies", "1,000 connections with half a body of 60 kB", half+"\r\n"+strings.Repeat(" ", 30_000), true),
		holding("unread", "1,000 connections that send 200 requests and read nothing", strings.Repeat("GET /healthz HTTP/1.1\r\nHost: service\r\n\r\n", 200), false),
		together(strangersAttacks(tricks, 24)))
}

// strangersAttacks returns the attacks in which strangers' homeservers
// misbehave. workers is the maximal number of requests that an attack sends at
// the same time. The attack "abandoned" always sends up to 320.
func strangersAttacks(tricks map[string]trick, workers int) []attack {
	crowded := func(c crowd, most time.Duration) attack {
		c.workers = workers
		return attack{name: c.trick, about: tricks[c.trick].about, run: c.send, most: most}
	}
	list := []attack{crowded(crowd{trick: unknown, names: 10_000, once: true, rate: 4000}, mostTime)}
	for _, trick := range []string{"junk", "chain", "bulky", "dense", "names", "unclear", "redirect"} {
		a := crowded(crowd{trick: trick, names: 1000, once: true, rate: 1000}, mostTime)
		a.thousand = true
		list = append(list, a)
	}
	for _, trick := range []string{"dripping", "silent", "reset", "dns", "lines", "headers", "interim", "body", "slow", "fine"} {
		list = append(list, crowded(crowd{trick: trick, names: 1000, rate: 500}, attackTime))
	}
	return append(list, crowded(crowd{trick: "halfdead", names: 40, rate: 500}, attackTime), attack{
		name: "abandoned", about: "16 networks that abandon each request for a new name after 100 ms", most: 2 * attackTime,
		run: crowd{trick: "silent", names: 100_000, workers: 320, rate: 2700, maxWait: abandonAfter, networks: 16}.send,
	})
}

// holding returns an attack that opens 1,000 connections from eight client
// addresses. The attack sends the same text on each connection. If reads is
// true, the attack also reads the answers.
func holding(name, about, text string, reads bool) attack {
	return attack{name: name, about: about, most: attackTime,
		run: func(ctx context.Context, answers *counts) { hold(ctx, 1000, text, reads, answers) }}
}

// This function returns an attack that runs the attacks in list at the same time.
func together(list []attack) attack {
	return attack{name: "all", about: "all attacks with strangers' servers at once", most: allTime, run: func(ctx context.Context, answers *counts) {
		var wg sync.WaitGroup
		for _, a := range list {
			wg.Go(func() { a.run(ctx, answers) })
		}
		wg.Wait()
	}}
}
