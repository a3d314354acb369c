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

// TestPage serves the connection test: a web page, and tokens for the page. The
// operator gives people a link to the page. Each link has its own room on the
// SFU, the probe room. The tokens are only for this room.
type TestPage struct {
	// Keys returns the API keys with their secrets. A link is valid if it is
	// signed with any of these keys. The first key signs new links.
	Keys sfu.Keys
	// Rooms looks up rooms on the SFU.
	Rooms RoomFinder
	// SFUPort is the port to which a proxy must forward clients' requests to
	// the SFU, or "" if the port is unknown. If a test fails, the page names
	// this port in its advice.
	SFUPort string
	// Uses limits how often people use one link. Clients limits how often one
	// client network asks for tokens. The zero Limiter means no limit.
	Uses    ratelimit.Limiter[sfu.Room]
	Clients ratelimit.Limiter[netip.Prefix]
}

// RoomFinder says whether a room exists on the SFU. RoomSince returns the time
// at which the room was created, or the zero time if there is no such room.
type RoomFinder interface {
	RoomSince(ctx context.Context, room sfu.Room) (time.Time, error)
}

// NewUseLimiter returns the limit on how often people may use one link. It is
// enough for a family that tries all its phones, some of them twice.
func NewUseLimiter() ratelimit.Limiter[sfu.Room] {
	return ratelimit.New[sfu.Room](ratelimit.Limit{PerMinute: 2, Burst: 20})
}

// NewTestLimiter returns the limit on how often one client network may ask for
// tokens. Requests with invalid links count, too.
func NewTestLimiter() ratelimit.Limiter[netip.Prefix] {
	return ratelimit.New[netip.Prefix](ratelimit.Limit{PerMinute: 10, Burst: 20})
}

const (
	routeTest      = "/test"
	routeTestToken = "/test/token"

	// findRoomTime bounds the search for the room on the SFU. If the SFU does
	// not answer, the service still gives the tokens. The page then shows what
	// is wrong.
	findRoomTime = 3 * time.Second
	// A token is valid as long as its link, but at least for leastTTL and at
	// most for mostTTL. leastTTL is enough for a test that begins in the last
	// second of the link.
	leastTTL = time.Minute
	mostTTL  = 10 * time.Minute
)

// isTestFile reports whether route serves a file of the test page. Requests for
// these files are in the log only at level debug.
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

// testTokens returns two access tokens for the SFU. The tokens are for the room
// of a link to the connection test. Anybody who has the link can get them.
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

// answer makes two tokens for the room of the link. They are valid as long as
// the link, but at least for leastTTL and at most for mostTTL.
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
	url, port        string // url is the SFU's URL as JSON text; port is plain text without characters that JSON must escape
	name             string
	sender, receiver string // the tokens of the two participants; they have no characters that JSON must escape
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
