package handler

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
	"matrixrtc-auth/testpage"
	"matrixrtc-auth/token"
)

// TestPage serves the connection test: its page, and tokens for the probe room of
// a link. Uses and Clients, where they are nil, bound nothing.
type TestPage struct {
	// Keys are the API pairs. Links of all of them are taken, the first signs.
	Keys sfu.Keys
	// Rooms says whether the SFU has a room.
	Rooms RoomFinder
	// SFUPort is the port to which a proxy must lead what clients ask of the SFU,
	// for remedies; "" where it is not known.
	SFUPort string
	// Uses bounds how often one link is used, Clients how often a client network
	// asks for tokens.
	Uses    *ratelimit.Limiter[sfu.Room]
	Clients *ratelimit.Limiter[netip.Prefix]
}

// RoomFinder says since when the SFU has a room; zero for one that it has not.
type RoomFinder interface {
	RoomSince(ctx context.Context, room sfu.Room) (time.Time, error)
}

// NewUseLimiter returns the limit of one link: a family tries it on all of its
// phones, some of them twice.
func NewUseLimiter() *ratelimit.Limiter[sfu.Room] {
	return ratelimit.New[sfu.Room](ratelimit.Limit{PerMinute: 2, Burst: 20})
}

// NewTestLimiter returns the limit of a client network, be its keys good or not.
func NewTestLimiter() *ratelimit.Limiter[netip.Prefix] {
	return ratelimit.New[netip.Prefix](ratelimit.Limit{PerMinute: 10, Burst: 20})
}

const (
	routeTest      = "/test"
	routeTestToken = "/test/token"

	// findRoomTime bounds the question whether the room is there. Where the SFU
	// does not answer, the test itself shows what is wrong.
	findRoomTime = 3 * time.Second
	// The tokens are good for as long as the link. leastTTL lets somebody end a
	// test who began it in the link's last second; mostTTL bounds what a long link
	// gives away at once.
	leastTTL = time.Minute
	mostTTL  = 10 * time.Minute
)

// isTestFile reports whether a route is of the page's files, which is nothing that
// the log is about.
func isTestFile(route string) bool {
	return route == routeTest || strings.HasPrefix(route, routeTest+"/") && route != routeTestToken
}

// routes adds those of the connection test.
func (t *TestPage) routes(h *Handler) {
	page := testpage.New(h.URL)
	for name, file := range page.Files() {
		route := strings.TrimSuffix(routeTest+"/"+name, "/")
		h.mux.Get(route, file)
		h.mux.Head(route, file)
	}
	h.mux.Post(routeTestToken, serveJSON(h.bodies, func(ctx context.Context, x *exchange, body []byte) (testAnswer, error) {
		return h.testTokens(ctx, x, body)
	}))
}

// testTokens gives two tokens for the probe room of a link to whoever has the link.
func (h *Handler) testTokens(ctx context.Context, x *exchange, body []byte) (testAnswer, error) {
	t := h.TestPage
	if wait := t.Clients.Take(access.Network(x.client)); wait > 0 {
		return testAnswer{}, h.refuseTest(metrics.TestRefused, wait)
	}
	f := readFields(body, "key")
	sealed := f.text("key")
	if *f.err != nil {
		return testAnswer{}, *f.err
	}
	now := time.Now()
	key, err := testlink.Open(sealed, t.Keys(), now)
	x.asked.room = key.Room
	if err != nil {
		return testAnswer{}, err
	}
	if wait := t.Uses.Take(key.Room); wait > 0 {
		return testAnswer{}, h.refuseTest(metrics.TestUsedUp, wait)
	}
	if t.isGone(ctx, key.Room) {
		return testAnswer{}, errRoomGone
	}
	return t.answer(h.urlJSON, key, now), nil
}

func (h *Handler) refuseTest(kind string, wait time.Duration) error {
	h.Metrics.RateLimited(kind)
	return &limitError{kind: kind, wait: wait}
}

// isGone reports whether the SFU says that it does not have the room.
func (t *TestPage) isGone(ctx context.Context, room sfu.Room) bool {
	ctx, cancel := context.WithTimeout(ctx, findRoomTime)
	defer cancel()
	since, err := t.Rooms.RoomSince(ctx, room)
	return err == nil && since.IsZero()
}

// answer mints the tokens: both let into this room alone, until the link ends.
func (t *TestPage) answer(url string, key testlink.Key, now time.Time) testAnswer {
	minter := token.NewMinter(t.Keys()[0], min(mostTTL, max(leastTTL, key.Expires.Sub(now))))
	name := testerName()
	mint := func(identity string) string {
		return minter.Mint(token.Grant{Room: key.Room, Identity: sfu.Identity(identity), CanPublish: true}, now)
	}
	return testAnswer{
		url: url, port: t.SFUPort, name: name, now: now, expires: key.Expires,
		sender: mint(name), receiver: mint(name + testlink.ReceiverSuffix),
	}
}

// testerName tells the runs of a test apart.
func testerName() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	return testlink.TesterPrefix + hex.EncodeToString(random[:])
}

// testAnswer is what the page needs to test.
type testAnswer struct {
	url, port        string // of the SFU, the URL as JSON; a port needs no escape
	name             string
	sender, receiver string // tokens; none needs an escape
	now, expires     time.Time
}

func (a testAnswer) appendJSON(b []byte) []byte {
	b = append(append(b, `{"url":`...), a.url...)
	b = append(append(b, `,"port":"`...), a.port...)
	b = append(append(b, `","name":"`...), a.name...)
	b = append(append(b, `","sender":"`...), a.sender...)
	b = append(append(b, `","receiver":"`...), a.receiver...)
	b = strconv.AppendInt(append(b, `","now":`...), a.now.UnixMilli(), 10)
	b = strconv.AppendInt(append(b, `,"expires":`...), a.expires.UnixMilli(), 10)
	return append(b, '}')
}
