package appservice

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
)

// TestEndpoints tests the endpoints for tokens on two homeservers that federate. Each
// homeserver has a service and an SFU.
func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	first := newSide(t, w, "first", false, nil, "allow_guest_access: true")
	second := newSide(t, w, "second", false, nil)
	alice, bob := first.register(t, "alice"), second.register(t, "bob")
	left, invited, banned := first.register(t, "left"), first.register(t, "invited"), first.register(t, "banned")
	nobody, elsewhere := first.register(t, "nobody"), second.register(t, "elsewhere")
	room := callRoom(t, alice, bob, left, invited, banned)
	ctx := within(t, time.Minute)
	must(t, bob.Join(ctx, room, first.name.String()))
	must(t, left.Join(ctx, room, first.name.String()))
	must(t, banned.Join(ctx, room, first.name.String()))
	path := "/_matrix/client/v3/rooms/" + url.PathEscape(room)
	must(t, left.Call(ctx, http.MethodPost, path+"/leave", struct{}{}, nil))
	must(t, alice.Call(ctx, http.MethodPost, path+"/ban", map[string]string{"user_id": banned.UserID}, nil))

	// A homeserver that has just joined a room does not know all members of the room
	// yet.
	eventually(t, time.Minute, "the second homeserver knows that the first is in the room", func() bool {
		answer, _ := post(t, bob, stable+"/get_token", first.call(room, map[string]any{"server_name": first.name.String()}))
		return answer.Status == 200
	})
	t.Run("old and new clients meet", func(t *testing.T) { oldAndNewMeet(t, first, second, alice, bob, room) })
	t.Run("both bodies and paths", func(t *testing.T) {
		for _, prefix := range []string{unstable, stable} {
			for name, more := range map[string]map[string]any{"newer": nil, "older": older} {
				t.Run(prefix+" "+name, func(t *testing.T) {
					answer, _ := post(t, alice, prefix+"/get_token", first.call(room, more))
					wants(t, prefix+" "+name, answer, 200, "")
				})
			}
		}
	})
	t.Run("who is not joined", func(t *testing.T) {
		var bodies []string
		for name, who := range map[string]*account.Account{"left": left, "invited": invited, "banned": banned, "never there": nobody} {
			t.Run(name, func(t *testing.T) {
				answer, _ := post(t, who, stable+"/get_token", first.call(room, nil))
				wants(t, name, answer, 403, "M_FORBIDDEN")
				bodies = append(bodies, string(answer.Body))
			})
		}
		answer, header := post(t, alice, stable+"/get_token", first.call("!nobody-has-this:"+first.name.String(), nil))
		wants(t, "unknown room", answer, 403, "M_FORBIDDEN")
		for _, body := range append(bodies, string(answer.Body)) {
			if body != bodies[0] {
				t.Errorf("got the bodies %s and %s, want the same", body, bodies[0])
			}
		}
		if got := header.Values("Access-Control-Allow-Origin"); len(got) != 1 {
			t.Errorf("Access-Control-Allow-Origin %q, want one", got)
		}
	})
	t.Run("a remote user who is not joined", func(t *testing.T) {
		answer, _ := post(t, elsewhere, stable+"/get_token", first.call(room, map[string]any{"server_name": first.name.String()}))
		wants(t, "by the second homeserver", answer, 403, "M_FORBIDDEN")
	})
	t.Run("a guest", func(t *testing.T) {
		answer, _ := post(t, first.guest(t), stable+"/get_token", first.call(room, nil))
		wants(t, "by the homeserver itself", answer, 403, "M_GUEST_ACCESS_FORBIDDEN")
	})
	t.Run("other homeservers", func(t *testing.T) { otherHomeservers(t, first, second, alice, bob, elsewhere, room) })
	t.Run("leaves of others", func(t *testing.T) { leavesOfOthers(t, first, alice, room) })
	t.Run("another SFU", func(t *testing.T) {
		answer, _ := post(t, alice, stable+"/get_token", second.call(room, nil))
		wants(t, "the second's URL at the first", answer, 400, "M_INVALID_PARAM")
	})
	t.Run("a server that is not in the room", func(t *testing.T) {
		alone := callRoom(t, alice)
		answer, _ := post(t, alice, stable+"/get_token", second.call(alone, map[string]any{"server_name": second.name.String()}))
		wants(t, "the second server", answer, 403, "M_FORBIDDEN")
	})
	t.Run("the service is away", func(t *testing.T) {
		must(t, first.service.Stop())
		answer, _ := post(t, alice, stable+"/get_token", first.call(room, nil))
		wants(t, "without a service", answer, 500, "M_UNKNOWN")
		answer, _ = post(t, bob, stable+"/get_token", first.call(room, map[string]any{"server_name": first.name.String()}))
		wants(t, "from the other side", answer, 502, "M_UNKNOWN")
		must(t, first.service.Start(within(t, time.Minute)))
		answer, _ = post(t, alice, stable+"/get_token", first.call(room, nil))
		wants(t, "with it again", answer, 200, "")
	})
	t.Run("another hs_token", func(t *testing.T) { anotherToken(t, first, alice, room) })
}

// oldAndNewMeet puts three clients into one call. The first asks the service for a
// token, the second asks its homeserver. The third wants a token for the SFU of another
// homeserver, and asks its own homeserver. Each client must hear the others.
func oldAndNewMeet(t *testing.T, first, second *side, alice, bob *account.Account, room string) {
	old := first.openID(t, alice, room)
	wants(t, "old client", old, 200, "")
	newer, _ := post(t, alice, unstable+"/get_token", first.call(room, map[string]any{"member_id": "phone"}))
	wants(t, "new client", newer, 200, "")
	remote, _ := post(t, bob, stable+"/get_token", first.call(room, map[string]any{"server_name": first.name.String()}))
	wants(t, "remote client", remote, 200, "")
	a, b, c := join(t, first, old.JWT), join(t, first, newer.JWT), join(t, first, remote.JWT)
	if a.Room() != b.Room() || b.Room() != c.Room() {
		t.Fatalf("got the rooms %s, %s and %s, want one room", a.Room(), b.Room(), c.Room())
	}
	_, err := a.PublishAudio()
	must(t, err)
	hears(t, b, a)
	hears(t, c, a)
	_, err = c.PublishAudio()
	must(t, err)
	hears(t, a, c)
	hears(t, b, c)
}

// anotherToken gives the service an hs_token that is not the homeserver's. Clients
// must get an error that does not log them out.
func anotherToken(t *testing.T, s *side, alice *account.Account, room string) {
	must(t, s.service.Stop())
	delete(s.service.Env, "LIVEKIT_AS_REGISTRATION_FILE")
	s.service.Env["LIVEKIT_AS_TOKEN"] = s.registration.ASToken.Reveal()
	s.service.Env["LIVEKIT_HS_TOKEN"] = "another-hs-token-than-the-homeserver-has"
	must(t, s.service.Start(within(t, time.Minute)))
	answer, _ := post(t, alice, stable+"/get_token", s.call(room, nil))
	wants(t, "another hs_token", answer, 403, "M_FORBIDDEN")
	var whoAmI struct {
		UserID string `json:"user_id"`
	}
	must(t, alice.Call(within(t, time.Minute), http.MethodGet, "/_matrix/client/v3/account/whoami", nil, &whoAmI))
	s.eventuallyLogs(t, "this service refuses what the homeserver passes on")
}
