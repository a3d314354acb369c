package handler

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
)

var linkKey = sfu.Key{ID: "testkey", Secret: secret.New(strings.Repeat("s", 32))}

// testRig is a rig (a Handler with fakes) with a connection test, and with a
// link that is valid for ten minutes.
type testRig struct {
	*rig
	finder *finder
	key    testlink.Key
	sealed string
}

// finder is a fake SFU on which every room exists. If gone is true, no room
// exists. If err is set, every question gets err as its answer.
type finder struct {
	gone  bool
	err   error
	asked []sfu.Room
}

func (f *finder) RoomSince(_ context.Context, room sfu.Room) (time.Time, error) {
	f.asked = append(f.asked, room)
	if f.gone || f.err != nil {
		return time.Time{}, f.err
	}
	return time.Now(), nil
}

func newTestRig(t *testing.T) *testRig {
	t.Helper()
	r := &testRig{rig: newRig(), finder: &finder{}, key: testlink.New(time.Now().Add(10 * time.Minute))}
	r.URL = "wss://sfu.example.org"
	r.TestPage = &TestPage{Keys: sfu.Always(linkKey), Rooms: r.finder, SFUPort: "7880", Uses: NewUseLimiter(), Clients: NewTestLimiter()}
	var err error
	if r.sealed, err = r.key.Seal(linkKey); err != nil {
		t.Fatal(err)
	}
	return r
}

// post asks for tokens as the page of the connection test does. client is the
// client's address.
func (r *testRig) post(sealed, client string) (status int, document string) {
	body, _ := json.Marshal(map[string]string{"key": sealed})
	w := r.serve("POST", "/test/token", string(body), "X-Forwarded-For", client)
	return w.Code, w.Body.String()
}

// TestTestTokens checks that a request with the key of a link gets two tokens.
// They must be only for the link's room, and must expire together with the link.
func TestTestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t)
		time.Sleep(4 * time.Minute)
		status, document := r.post(r.sealed, "192.0.2.1")
		var got struct {
			URL, Port, Name, Sender, Receiver string
			Now, Expires                      int64
		}
		if err := json.Unmarshal([]byte(document), &got); status != 200 || err != nil {
			t.Fatalf("got %d %s (%v), want 200 and JSON", status, document, err)
		}
		if got.URL != r.URL || got.Port != "7880" || got.Now != time.Now().UnixMilli() || got.Expires != r.key.Expires.UnixMilli() {
			t.Errorf("got the URL %q, port %q, now %d and the end %d, want %q, 7880, %d and %d",
				got.URL, got.Port, got.Now, got.Expires, r.URL, time.Now().UnixMilli(), r.key.Expires.UnixMilli())
		}
		for token, identity := range map[string]string{got.Sender: got.Name, got.Receiver: got.Name + "-receiver"} {
			verifier, err := auth.ParseAPIToken(token)
			if err != nil {
				t.Fatal(err)
			}
			claims, grants, err := verifier.Verify(linkKey.Secret.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			v := grants.Video
			if grants.Identity != identity || v.Room != string(r.key.Room) || !v.RoomJoin || v.RoomCreate || v.RoomAdmin || v.RoomList || v.Hidden || v.GetCanUpdateOwnMetadata() {
				t.Errorf("token of %s with %+v, want %s in %s and no more", grants.Identity, v, identity, r.key.Room)
			}
			if left := time.Until(claims.ExpiresAt.Time); left > 6*time.Minute || left < 6*time.Minute-time.Second {
				t.Errorf("the token ends in %s, want 6 min, together with the link", left)
			}
		}
		if len(r.finder.asked) != 1 || r.finder.asked[0] != r.key.Room {
			t.Errorf("the SFU: got questions about %q, want one about %s", r.finder.asked, r.key.Room)
		}
		for _, hidden := range []string{r.sealed, got.Sender, got.Receiver} {
			if strings.Contains(r.log.String(), hidden) {
				t.Errorf("the log holds a secret: got %s, want no %q in it", r.log, hidden)
			}
		}
		if !strings.Contains(r.log.String(), "room="+string(r.key.Room)) {
			t.Errorf("the log does not name the room: got %s, want %q in it", r.log, "room="+string(r.key.Room))
		}
	})
}

func TestTestTokensRefused(t *testing.T) {
	other := sfu.Key{ID: "testkey", Secret: secret.New(strings.Repeat("t", 32))}
	for name, test := range map[string]struct {
		sealed func(r *testRig) string
		finder finder
		status int
		cause  string
		asked  int
	}{
		"forged": {func(r *testRig) string { s, _ := r.key.Seal(other); return s }, finder{}, 403, "test_link_wrong", 0},
		"expired": {func(*testRig) string { s, _ := testlink.New(time.Now().Add(-time.Second)).Seal(linkKey); return s },
			finder{}, 410, "test_link_expired", 0},
		"gone":        {func(r *testRig) string { return r.sealed }, finder{gone: true}, 404, "test_room_gone", 1},
		"nothing":     {func(*testRig) string { return "" }, finder{}, 400, "bad_json", 0},
		"too long":    {func(*testRig) string { return strings.Repeat("A", 60_000) }, finder{}, 403, "test_link_wrong", 0},
		"SFU is away": {func(r *testRig) string { return r.sealed }, finder{err: errors.New("connection refused")}, 200, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRig(t)
			*r.finder = test.finder
			status, document := r.post(test.sealed(r), "192.0.2.1")
			if status != test.status || test.cause != "" && !strings.Contains(r.log.String(), "cause="+test.cause) || len(r.finder.asked) != test.asked {
				t.Errorf("%d %s, the SFU was asked %d times, log %s; want %d %s, %d times", status, document, len(r.finder.asked), r.log, test.status, test.cause, test.asked)
			}
		})
	}
}

// TestTestLimits checks that a link, and a client network, each get only a
// limited number of tokens, whatever the client sends.
func TestTestLimits(t *testing.T) {
	// ask sends requests for tokens until the service refuses one. It returns
	// how many requests the service did not refuse.
	ask := func(r *testRig, sealed string, client func(i int) string) (taken int) {
		for {
			status, _ := r.post(sealed, client(taken))
			if status == 429 || taken == 100 {
				return taken
			}
			taken++
		}
	}
	for name, test := range map[string]struct {
		sealed string // "" means a valid link
		client func(i int) string
		kind   string
	}{
		"one link":           {"", func(i int) string { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String() }, "limit_test_link"},
		"one client":         {strings.Repeat("A", testlink.Length), func(int) string { return "192.0.2.1" }, "limit_test"},
		"one network (IPv6)": {strings.Repeat("A", testlink.Length), func(i int) string { return "2001:db8::" + string(rune('a'+i%6)) }, "limit_test"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newTestRig(t)
				sealed := test.sealed
				if sealed == "" {
					sealed = r.sealed
				}
				if taken := ask(r, sealed, test.client); taken != 20 || !strings.Contains(r.log.String(), "cause="+test.kind) {
					t.Errorf("%d requests were not refused, want 20; log %s", taken, r.log)
				}
				time.Sleep(30 * time.Second)
				if status, document := r.post(sealed, "192.0.2.1"); status == 429 {
					t.Errorf("half a minute later: got %d %s, want another than 429", status, document)
				}
			})
		})
	}
}

// TestTestPageOff checks that the paths of the connection test do not exist if
// the operator switches the test off.
func TestTestPageOff(t *testing.T) {
	r := newRig()
	for _, request := range []string{"GET /test", "GET /test/main.js", "POST /test/token"} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			if w := r.serve(method, path, "{}"); w.Code != 404 {
				t.Errorf("%s: %d, want 404", request, w.Code)
			}
		})
	}
}

func TestTestFiles(t *testing.T) {
	r := newTestRig(t)
	url := r.listen(t)
	for request, want := range map[string]int{
		"GET /test": 200, "HEAD /test": 200, "GET /test/main.js": 200, "GET /test/": 308, "GET //test": 200, "GET /test/livekit-client.js": 200,
		"GET /test/absent.js": 404, "GET /test/../go.mod": 404, "POST /test": 405, "GET /test/token": 405, "POST /test/main.js": 405,
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			resp := do(t, method, url+path, "")
			text, err := io.ReadAll(resp.Body)
			if resp.StatusCode != want || err != nil {
				t.Errorf("%d %.80s (%v), want %d", resp.StatusCode, text, err, want)
			}
			if policy := resp.Header.Get("Content-Security-Policy"); want == 200 && !strings.Contains(policy, "connect-src 'self' wss://sfu.example.org https://sfu.example.org;") {
				t.Errorf("Content-Security-Policy: got %q, want connections to the service and the SFU alone", policy)
			}
		})
	}
}
