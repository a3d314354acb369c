package main

import (
	"context"
	"fmt"
	"strconv"
)

const (
	fewRequests     = 1_000
	manyRequests    = 100_000
	memoryGrowth    = 10e6 // the target for the growth of the service's memory, in bytes
	memoryConns     = 16
	everySecondOnes = "in turn an unknown token, somebody else's token, and broken JSON"
)

// memory measures the service's memory after few requests and after many, and
// compares the two.
func (l *lab) memory(ctx context.Context) (string, error) {
	s, err := l.start(ctx, "c")
	if err != nil {
		return "", err
	}
	defer s.stop()
	few, err := l.feed(ctx, s, fewRequests)
	if err != nil {
		return "", err
	}
	many, err := l.feed(ctx, s, manyRequests-fewRequests)
	if err != nil {
		return "", err
	}
	growth := many.RSS - few.RSS
	return fmt.Sprintf("### Memory\n\nWhether the memory of the service grows with the number of requests. Every second request is one that the service must refuse (%s). The load comes over %d connections. RSS is the resident memory. From the first row to the second the RSS grew by %v. At most %v are allowed: %s.\n\n%s",
		everySecondOnes, memoryConns, growth, bytesOf(memoryGrowth), verdict(growth <= memoryGrowth),
		table([]string{"requests so far", "RSS", "heap and stacks in it", "highest RSS so far"}, memoryRow(fewRequests, few), memoryRow(manyRequests, many))), nil
}

func memoryRow(requests int, m memory) []string {
	return []string{strconv.Itoa(requests), m.RSS.String(), m.Anon.String(), m.Peak.String()}
}

// feed sends n requests, half of them invalid, and returns the service's memory
// afterwards.
func (l *lab) feed(ctx context.Context, s *subject, n int) (memory, error) {
	if _, err := l.putAll(ctx, s, loadPlan{Connections: memoryConns, Count: n, WithInvalid: true}); err != nil {
		return memory{}, err
	}
	m, err := memoryOf(s.pid)
	if err == nil {
		l.say("memory after %d more requests: %v", n, m.RSS)
	}
	return m, err
}
