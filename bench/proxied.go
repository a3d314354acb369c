package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

const (
	// In the report's tables, these letters stand for two loads whose requests
	// look as if a homeserver had forwarded them. The load p has the same users as
	// the load with OpenID tokens. In the load q, each request is for a new user.
	proxiedLetter   = "p"
	strangersLetter = "q"
	// proxiedFloor is the lowest acceptable ratio of two rates: the requests per
	// second of the load p (as if forwarded by a homeserver), divided by those of
	// the load with OpenID tokens. Both rates are measured with the same users.
	proxiedFloor = 1.0

	benchASToken = "the-as-token-of-the-benchmark-0123456789"
	benchHSToken = "the-hs-token-of-the-benchmark-0123456789"
)

// proxiedRequest returns a request for a token that looks as if a homeserver
// had forwarded it. number becomes a part of the user id.
func proxiedRequest(server, number string) *request {
	body := fmt.Sprintf(`{"url":"ws://sfu.bench","room_id":"!bench:%s","slot_id":"m.call#ROOM","member_id":"xyzABCDEF0123"}`, server)
	head := fmt.Sprintf("Authorization: Bearer %s\r\nX-Matrix-User-Identifier: @u%s:%s", benchHSToken, number, server)
	return requestOf("/_matrix/client/v1/rtc/livekit/get_token", head, body, "200")
}

// proxied measures two kinds of requests, one kind after the other: requests
// that a homeserver forwards, and requests with an OpenID token.
func (l *lab) proxied(ctx context.Context) (string, error) {
	connections := []int{16, 64}
	all := map[point]series{}
	for i := range l.opts.repeats {
		for _, n := range connections {
			standalone, err := l.measureOnce(ctx, "c", n)
			if err != nil {
				return "", err
			}
			through, err := l.measureProxied(ctx, proxiedLetter, n)
			if err != nil {
				return "", err
			}
			strangers, err := l.measureProxied(ctx, strangersLetter, n)
			if err != nil {
				return "", err
			}
			for letter, m := range map[string]*measurement{"c": standalone, proxiedLetter: through, strangersLetter: strangers} {
				all[point{letter, n}] = append(all[point{letter, n}], m)
			}
			l.say("repeat %d, %d connections: with an OpenID token %.0f, through the homeserver %.0f requests/s, with a new user for each request %.0f",
				i+1, n, series{standalone}.rate(), series{through}.rate(), series{strangers}.rate())
		}
	}
	return proxiedSection(all, connections), nil
}

// measureProxied measures one of the two loads with forwarded requests. It also
// checks that the service asked the homeserver about every new user.
func (l *lab) measureProxied(ctx context.Context, letter string, connections int) (*measurement, error) {
	before, err := l.homeserver.counts()
	if err != nil {
		return nil, err
	}
	server := l.homeserver.Addr
	s, err := l.launchService(ctx, append(l.serviceEnv("bench.invalid"),
		"LIVEKIT_HS_SERVER_NAME="+server, "LIVEKIT_AS_TOKEN="+benchASToken, "LIVEKIT_HS_TOKEN="+benchHSToken,
		"LIVEKIT_CS_API_URL_OVERRIDES="+server+"=https://"+server, "LIVEKIT_URL_ALIASES=ws://sfu.bench"))
	if err != nil {
		return nil, err
	}
	s.letter = letter
	m, err := l.observe(ctx, s, connections)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return nil, err
	}
	after, err := l.homeserver.counts()
	if err != nil {
		return nil, err
	}
	if asked := after.Requests - before.Requests; letter == strangersLetter && asked < int64(m.Requests) {
		l.fault("the homeserver was asked %d times for %d requests of new users, want once for each", asked, m.Requests)
	}
	return m, nil
}

func proxiedSection(all map[point]series, connections []int) string {
	rows := [][]string{{"connections", "users through the homeserver", "requests/s with OpenID tokens", "requests/s through the homeserver", "ratio", "p99 ms through the homeserver", "CPU µs per request with OpenID tokens", "CPU µs per request through the homeserver"}}
	for _, n := range connections {
		openID := all[point{"c", n}]
		for _, who := range []struct{ letter, name string }{{proxiedLetter, "the same users"}, {strangersLetter, "a new user each"}} {
			through := all[point{who.letter, n}]
			ratio := through.rate() / openID.rate()
			judged := fmt.Sprintf("%.2f", ratio)
			if who.letter == proxiedLetter {
				judged = fmt.Sprintf("**%.2f** (floor %.1f: %s)", ratio, proxiedFloor, verdict(ratio >= proxiedFloor))
			}
			rows = append(rows, []string{strconv.Itoa(n), who.name, fmt.Sprintf("%.0f", openID.rate()), fmt.Sprintf("%.0f", through.rate()),
				judged, ms(through.duration(p99)), us(openID.cpu(0)), us(through.cpu(0))})
		}
	}
	return strings.Join([]string{"### Through the homeserver\n",
		"This table compares two ways to a token: `POST /get_token` with an OpenID token, and `get_token` as a homeserver passes it on. The loads ran in turn. With “the same users”, both ways have the same 10,000 users, and the service remembers for at most 5 s that a user is joined to the Matrix room. With “a new user each”, every request through the homeserver has a new user, so the service asks the homeserver each time whether the user is joined. The ratio is the rate through the homeserver, divided by the rate with OpenID tokens. The floor is the least that it should be. 99 % of the requests had their answer within p99.\n",
		table(rows...)}, "\n")
}
