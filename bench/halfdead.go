package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

const (
	pooledConnections = 16
	// halfDeadLimit is the longest acceptable time of one request if the pooled
	// connections no longer answer. For comparison, the service lets a whole
	// verification take up to 10 s.
	halfDeadLimit = 3 * time.Second
)

// halfDead fills the pool of connections to the homeserver. Then the homeserver
// stops answering on all of them, and halfDead sends more requests.
func (l *lab) halfDead(ctx context.Context) (string, error) {
	rows := [][]string{{"program, load", "requests", "p50 ms", "longest ms", "requests over 100 ms", "requests refused", "new connections to the homeserver", fmt.Sprintf("longest ≤ %v", halfDeadLimit)}}
	for _, load := range []point{{"b", pooledConnections}, {"c", 1}, {"c", pooledConnections}} {
		row, err := l.killPool(ctx, load)
		if err != nil {
			return "", err
		}
		rows = append(rows, row)
	}
	return fmt.Sprintf("### Half-dead connections\n\nHow long requests for a token wait if the connections to the homeserver have died without a sign. "+legend+" Each program has a pool of %d connections to the homeserver. They stay open, but the homeserver never answers on them again. It answers on new connections. Half of the requests had their answer within p50.\n\n%s", pooledConnections, table(rows...)), nil
}

func (l *lab) killPool(ctx context.Context, load point) ([]string, error) {
	s, err := l.start(ctx, load.letter)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if _, err := l.putAll(ctx, s, loadPlan{Connections: pooledConnections, Count: 2000}); err != nil {
		return nil, err
	}
	var before counts
	if err := l.homeserver.ask("go-quiet", &before); err != nil {
		return nil, err
	}
	result, err := l.putOnDead(ctx, s, loadPlan{Connections: load.connections, Count: 32 * load.connections})
	if err != nil {
		return nil, err
	}
	after, err := l.homeserver.counts()
	if err != nil {
		return nil, err
	}
	l.say("half dead, (%s), %d at once: longest %v, %d of %d over %v", s.letter, load.connections, result.Max, result.Slow, result.Requests, slowRequest)
	return []string{
		fmt.Sprintf("(%s), %d at a time", s.letter, load.connections), strconv.Itoa(result.Requests), ms(result.P50), ms(result.Max),
		strconv.Itoa(result.Slow), strconv.Itoa(result.Wrong), strconv.FormatInt(after.Accepted-before.Accepted, 10),
		verdict(result.Max <= halfDeadLimit),
	}, nil
}

// putOnDead sends load as [lab.put] does. If the service gives a wrong answer,
// putOnDead records a fault. It does not check the answers of a baseline (a
// server with which the service is compared), because a baseline may refuse
// users after ten seconds.
func (l *lab) putOnDead(ctx context.Context, s *subject, plan loadPlan) (*loadResult, error) {
	if s.letter == "c" {
		return l.putAll(ctx, s, plan)
	}
	return l.put(ctx, s, plan)
}
