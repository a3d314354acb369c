package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"matrixrtc-auth/sfu"
)

const (
	// unsealedLetter is the letter of a build of the service whose tokens contain
	// no tickets. The service has no option that turns tickets off. So the
	// benchmark builds the service from the same source, but without the line
	// that seals tickets.
	unsealedLetter = "u"
	// ticketsFloor is the lowest acceptable ratio of two rates: the service's
	// tokens per second with tickets, divided by those without tickets.
	ticketsFloor = 0.95
	sealing      = "\tg.Ticket = m.sealer.Seal(t, Place{g.Room, g.Identity})\n"
)

// pair holds two measurements that were made directly one after the other: one
// with tickets, and one without tickets.
type pair struct{ with, without *measurement }

// tickets measures the cost of the ticket that every token contains. A ticket
// holds the user and the Matrix room of the token's bearer. It is encrypted,
// and only the service can decrypt it.
func (l *lab) tickets(ctx context.Context) (string, error) {
	if l.opts.service != "" {
		return "### Tickets\n\nNot measured with `-service`: two builds of the checkout are compared.\n", nil
	}
	l.say("building the service without tickets")
	if err := l.buildUnsealed(ctx); err != nil {
		return "", err
	}
	connections := []int{16, 64}
	all := map[int][]pair{}
	for i := range l.opts.repeats {
		for _, n := range connections {
			p, err := l.measurePair(ctx, n, i%2 == 1)
			if err != nil {
				return "", err
			}
			all[n] = append(all[n], p)
			l.say("repeat %d, %d connections: with tickets %.0f, without %.0f requests/s", i+1, n,
				series{p.with}.rate(), series{p.without}.rate())
		}
	}
	return ticketsSection(all, connections), nil
}

// measurePair measures two builds of the service: first the one whose tokens
// contain tickets, then the one whose tokens contain none. If reverse is true,
// the order is the opposite.
func (l *lab) measurePair(ctx context.Context, connections int, reverse bool) (p pair, err error) {
	order := []string{"c", unsealedLetter}
	if reverse {
		order = []string{unsealedLetter, "c"}
	}
	for _, letter := range order {
		m, err := l.measureOnce(ctx, letter, connections)
		if err != nil {
			return p, err
		}
		if letter == "c" {
			p.with = m
		} else {
			p.without = m
		}
	}
	return p, nil
}

// buildUnsealed builds the service without the line that encrypts (seals) the
// tickets, so that its tokens have no tickets.
func (l *lab) buildUnsealed(ctx context.Context) error {
	original := filepath.Join(l.root, "membership", "ticket", "minter.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	if bytes.Count(text, []byte(sealing)) != 1 {
		return errors.New("membership/ticket/minter.go does not contain the line that seals a ticket; change the constant sealing in bench/tickets.go to the present line")
	}
	changed, list := filepath.Join(l.dir, "minter.go"), filepath.Join(l.dir, "overlay.json")
	if err := os.WriteFile(changed, bytes.Replace(text, []byte(sealing), nil, 1), 0o600); err != nil {
		return err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return err
	}
	l.unsealed = filepath.Join(l.dir, "matrixrtc-auth-unsealed")
	return l.build(ctx, l.unsealed, "-overlay", list, ".")
}

// proveTicket checks that the tokens of the service contain a ticket. It also
// checks that the tokens of the build without tickets contain none.
func proveTicket(letter string, attributes map[string]string) error {
	if sealed := attributes[sfu.TicketAttribute] != ""; letter == "c" && !sealed || letter == unsealedLetter && sealed {
		return fmt.Errorf("subject (%s): a token with a ticket: got %v, want %v", letter, sealed, !sealed)
	}
	return nil
}

func ticketsSection(all map[int][]pair, connections []int) string {
	rows := [][]string{{"connections", "requests/s with tickets", "requests/s without", "ratio", "lowest to highest ratio of a pair", "CPU µs per request with tickets", "CPU µs per request without"}}
	for _, n := range connections {
		var with, without series
		var ratios []float64
		for _, p := range all[n] {
			with, without = append(with, p.with), append(without, p.without)
			ratios = append(ratios, series{p.with}.rate()/series{p.without}.rate())
		}
		ratio := medianOf(ratios, func(r float64) float64 { return r })
		low, high := spread(ratios)
		rows = append(rows, []string{strconv.Itoa(n), fmt.Sprintf("%.0f", with.rate()), fmt.Sprintf("%.0f", without.rate()),
			fmt.Sprintf("**%.3f** (floor %.2f: %s)", ratio, ticketsFloor, verdict(ratio >= ticketsFloor)),
			fmt.Sprintf("%.3f–%.3f", low, high), us(with.cpu(0)), us(without.cpu(0))})
	}
	return strings.Join([]string{"### Tickets\n",
		"This table compares the service with a program that puts no [ticket](security.md#tickets) into tokens, and that is built only for this benchmark. The two programs answered `POST /get_token` in pairs of runs, one right after the other. In every second pair the other program was first. The ratio of a pair is the rate with tickets, divided by the rate without. The table shows the median of all ratios; the floor is the least that it should be.\n",
		table(rows...)}, "\n")
}

func spread(all []float64) (low, high float64) {
	low, high = all[0], all[0]
	for _, one := range all {
		low, high = min(low, one), max(high, one)
	}
	return low, high
}
