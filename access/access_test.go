package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// world holds the fakes that an Authorizer needs, and records what the
// Authorizer asks of them.
type world struct {
	access.Authorizer
	joined map[string]bool // the keys have the form "user room" or "server room"
	err    error           // the error that answers every question about membership; nil for none
	asked  []string        // in order: the questions about membership, and "room" or "token" for each call of Ensure or Mint
	grant  token.Grant     // the grant of the last token
	ticket ticket.Ticket   // the ticket in the last token
	event  matrix.DelayedEvent
	gone   error // the error that LookUp returns; nil for none
	jobs   []leave.Job
}

const (
	room  = "!r:a.test"
	alice = "@alice:a.test"
	bob   = "@bob:b.test"
)

// newWorld returns a world in which alice and bob are joined to the room. Only
// the servers in fullAccess have full access, and only their users may publish.
func newWorld(t testing.TB, fullAccess ...string) *world {
	w := &world{joined: map[string]bool{alice + " " + room: true, bob + " " + room: true, "b.test " + room: true},
		event: matrix.DelayedEvent{Room: room, Delay: time.Hour}}
	listed := func(s matrix.ServerName) bool { return slices.Contains(fullAccess, s.String()) }
	w.Authorizer = access.Authorizer{
		Verifier: w, Rooms: w, Minter: w, Membership: w, Remote: remote{w}, Named: listed,
		FullAccess: listed, CanPublish: func(matrix.ServerName) bool { return false },
		Delegation: &access.Delegation{Events: w, Keeper: keeper{w}, Everyone: true},
	}
	return w
}

func (w *world) Verify(_ context.Context, _ matrix.OpenIDToken, claimed matrix.UserID, _ netip.Prefix) (matrix.UserID, error) {
	w.asked = append(w.asked, "verify")
	return claimed, nil
}

func (w *world) IsJoined(ctx context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return w.isJoined(ctx, user.String()+" "+room.String())
}

func (w *world) IsServerJoined(ctx context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return w.isJoined(ctx, server.String()+" "+room.String())
}

func (w *world) isJoined(ctx context.Context, question string) (bool, error) {
	w.asked = append(w.asked, question)
	return w.joined[question] && w.err == nil, errors.Join(w.err, ctx.Err())
}

func (w *world) Ensure(_ context.Context, _ sfu.Room) (bool, error) {
	w.asked = append(w.asked, "room")
	return true, nil
}

func (w *world) Mint(grant token.Grant, carried ticket.Ticket, _ time.Time) string {
	w.asked, w.grant, w.ticket = append(w.asked, "token"), grant, carried
	return "jwt"
}

// remote and keeper have the methods RemoteToken and Delegate of the fakes.
// world cannot have these methods itself, because they would hide the methods
// of the Authorizer with the same names.
type (
	remote struct{ *world }
	keeper struct{ *world }
)

func (w remote) RemoteToken(ctx context.Context, server matrix.ServerName, _ json.RawMessage) (json.RawMessage, error) {
	w.asked = append(w.asked, "remote "+server.String())
	return json.RawMessage(`{"jwt":"theirs"}`), ctx.Err()
}

func (w *world) Manageable(context.Context, matrix.ServerName) error { return nil }
func (w *world) Refuses(matrix.ServerName) bool                      { return false }

func (w *world) LookUp(context.Context, matrix.UserID, matrix.DelayID) (matrix.DelayedEvent, error) {
	return w.event, w.gone
}

func (w keeper) Delegate(_ context.Context, job leave.Job, _ leave.Limits) error {
	w.jobs = append(w.jobs, job)
	return nil
}

// must returns v, and panics if err is not nil. It is for texts that are known
// to be valid.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func user(id string) matrix.UserID { return must(matrix.ParseUserID(id)) }

func server(name string) matrix.ServerName { return must(matrix.ParseServerName(name)) }

// proof returns a proof for the user id. way is the kind of proof: "openid",
// "proxied" or "federated".
func proof(way, id string) access.Proof {
	switch way {
	case "proxied":
		return access.Proxied{User: user(id)}
	case "federated":
		return access.Federated{User: user(id), Origin: user(id).Server()}
	}
	return access.OpenID{Token: matrix.OpenIDToken{Server: user(id).Server()}, Claimed: user(id)}
}

// request returns a request for a token for the call in room. Its identity has
// the form [access.TwoParts].
func request() access.Request {
	return access.Request{
		Room: must(matrix.ParseRoomID(room)), Slot: must(matrix.ParseSlotID("m.call#ROOM")),
		As: access.Participant{Form: access.TwoParts, Member: must(matrix.ParseMemberID("m"))},
		By: time.Now().Add(25 * time.Second),
	}
}

func leaving(by access.Request) access.Request {
	by.Leave = &access.Leave{ID: must(matrix.ParseDelayID("d")), Delay: time.Hour}
	return by
}

// TestRights checks that a user's rights depend on how the user was proven, and
// on whether the user's server has full access.
func TestRights(t *testing.T) {
	for _, tt := range []struct {
		name, way, user string
		listed          []string
		room, publish   bool
	}{
		{"OpenID, listed", "openid", alice, []string{"a.test"}, true, true},
		{"OpenID, not listed", "openid", alice, nil, false, false},
		{"proxied", "proxied", alice, nil, true, true},
		{"federated", "federated", bob, nil, true, false},
		{"federated, listed", "federated", bob, []string{"b.test"}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.listed...)
			got, err := w.Token(t.Context(), proof(tt.way, tt.user), request())
			if err != nil || got.Token != "jwt" || got.User != user(tt.user) || got.RoomNotMade == tt.room {
				t.Errorf("Token(%s, %s) = %+v, %v, want jwt for that user, and the room made: %v", tt.way, tt.user, got, err, tt.room)
			}
			if made := slices.Contains(w.asked, "room"); made != tt.room || w.grant.CanPublish != tt.publish {
				t.Errorf("a room is created: %v, may publish: %v; want %v and %v", made, w.grant.CanPublish, tt.room, tt.publish)
			}
		})
	}
}

// TestMembershipComesFirst checks users for whom a homeserver vouches. Before
// anything else, the service asks whether the user is joined. If the user is
// not joined, the service creates no room and no token. The service does not
// ask about a user with an OpenID token, because MustBeJoined is nil in this test.
func TestMembershipComesFirst(t *testing.T) {
	unknown := errors.New("no answer")
	for _, tt := range []struct {
		name, way, user string
		err             error
		wants           error
		asked           []string
	}{
		{"joined", "proxied", alice, nil, nil, []string{alice + " " + room, "room", "token"}},
		{"not joined", "proxied", "@eve:a.test", nil, access.ErrNotJoined, []string{"@eve:a.test " + room}},
		{"unknown", "proxied", alice, unknown, unknown, []string{alice + " " + room}},
		{"federated", "federated", bob, nil, nil, []string{bob + " " + room, "room", "token"}},
		{"federated, not joined", "federated", "@eve:b.test", nil, access.ErrNotJoined, []string{"@eve:b.test " + room}},
		{"OpenID", "openid", "@eve:a.test", nil, nil, []string{"verify", "token"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.err = tt.err
			if _, err := w.Token(t.Context(), proof(tt.way, tt.user), request()); !errors.Is(err, tt.wants) {
				t.Errorf("err = %v, want %v", err, tt.wants)
			}
			if !slices.Equal(w.asked, tt.asked) {
				t.Errorf("asked %q, want %q", w.asked, tt.asked)
			}
		})
	}
}

// TestAServerSpeaksOfItsOwnUsers checks that the service refuses a homeserver
// that asks for a user of another server. The service must not even ask who is
// joined.
func TestAServerSpeaksOfItsOwnUsers(t *testing.T) {
	for _, origin := range []string{"a.test", "B.test", "b.test:8448"} {
		t.Run(origin, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.Token(t.Context(), access.Federated{User: user(bob), Origin: server(origin)}, request())
			if !errors.Is(err, access.ErrForeignUser) || len(w.asked) > 0 {
				t.Errorf("%s asks for %s: err = %v, asked %q; want a refusal", origin, bob, err, w.asked)
			}
		})
	}
}
