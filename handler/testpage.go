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

// TestPage serves the connection test. It serves the web page, and tokens for
// the probe room of a link. A probe room is a room on the SFU that is made for
// one link.
type TestPage struct {
	// Keys are the API keys with their secrets. A link signed with any of these
	// is valid. The first one signs new links.
	Keys sfu.Keys
	// Rooms finds a room on the SFU.
	Rooms RoomFinder
	// SFUPort is the port to which a proxy must forward clients' requests to
	// the SFU, or "" if the port is unknown. The page names this port when it
	// says how to mend a failure.
	SFUPort string
	// Uses limits how often people use one link. Clients limits how often one
	// client network asks for tokens. The zero Limiter means no limit.
	Uses    ratelimit.Limiter[sfu.Room]
	Clients ratelimit.Limiter[netip.Prefix]
}

// RoomFinder finds out when a room on the SFU was created. It returns the zero
// time if there is no such room.
type RoomFinder interface {
	RoomSince(ctx context.Context, room sfu.Room) (time.Time, error)
}

// NewUseLimiter returns the limit on uses of one link. The limit is enough for
// a family that tries all its phones, some of them twice.
func NewUseLimiter() ratelimit.Limiter[sfu.Room] {
	return ratelimit.New[sfu.Room](ratelimit.Limit{PerMinute: 2, Burst: 20})
}

// NewTestLimiter returns the limit on token requests of one client network.
// Requests with invalid links also count.
func NewTestLimiter() ratelimit.Limiter[netip.Prefix] {
	return ratelimit.New[netip.Prefix](ratelimit.Limit{PerMinute: 10, Burst: 20})
}

const (
	routeTest      = "/test"
	routeTestToken = "/test/token"

	// findRoomTime bounds the search for the room on the SFU. If the SFU does
	// not answer, the service gives the tokens anyway. The test on the page
	// then shows what is wrong.
	findRoomTime = 3 * time.Second
	// A token is valid until its link expires, but for at least leastTTL and at
	// most mostTTL. With leastTTL, a test that begins in the link's last second
	// can still end.
	leastTTL = time.Minute
	mostTTL  = 10 * time.Minute
)

// isTestFile reports whether route serves a file of the test page. The log
// shows requests for these files only at level debug.
func isTestFile(route string) bool {
	return route == routeTest || strings.HasPrefix(route, routeTest+"/") && route != routeTestToken
}

// routes adds the endpoints of the connection test to h.
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

// testTokens returns two tokens for the probe room of a link. Whoever has the
// link can get them.
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

// isGone reports whether the SFU says that room does not exist.
func (t *TestPage) isGone(ctx context.Context, room sfu.Room) bool {
	ctx, cancel := context.WithTimeout(ctx, findRoomTime)
	defer cancel()
	since, err := t.Rooms.RoomSince(ctx, room)
	return err == nil && since.IsZero()
}

// answer mints two tokens, which are only for the room of the link. They are
// valid until the link expires, but for at least leastTTL and at most mostTTL.
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

// testerName returns a random name for the participants of one run of the test.
func testerName() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // rand.Read never returns an error
	return testlink.TesterPrefix + hex.EncodeToString(random[:])
}

// testAnswer is the answer that the page needs for the test.
type testAnswer struct {
	url, port        string // url is the SFU's URL as JSON text; port needs no escape
	name             string
	sender, receiver string // the tokens of the two participants, which need no escape in JSON
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
