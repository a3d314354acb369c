package sfutest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"matrixrtc-auth/sfu"
)

type grantKey struct{}

// authenticated checks the bearer's token as LiveKit's middleware does. If the
// token is bad, the answer repeats it, as LiveKit's answer does. authenticated
// lets a request without a token pass. Such a request has no grant, so the API
// method refuses it.
func (s *SFU) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !found {
			bearer = r.FormValue("access_token")
		}
		if bearer == "" {
			next.ServeHTTP(w, r)
			return
		}
		claims, problem := s.verify(bearer)
		if problem != "" {
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte(problem))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, claims.Video)))
	})
}

func (s *SFU) verify(token string) (claims *auth.ClaimGrants, problem string) {
	v, err := auth.ParseAPIToken(token)
	if err != nil {
		return nil, "invalid authorization token"
	}
	if v.APIKey() != s.key.ID {
		return nil, "invalid API key: " + v.APIKey()
	}
	if _, claims, err = v.Verify(s.key.Secret.Reveal()); err != nil {
		return nil, "invalid token: " + token + ", error: " + err.Error()
	}
	return claims, ""
}

// granted returns the grant in the request's token, or an empty grant if the
// request has no token.
func granted(ctx context.Context) auth.VideoGrant {
	if grant, _ := ctx.Value(grantKey{}).(*auth.VideoGrant); grant != nil {
		return *grant
	}
	return auth.VideoGrant{}
}

// api implements the methods of the Room API that the fake supports. The
// embedded interface is nil and only declares the other methods. newAPI never
// forwards a call to those methods.
type api struct {
	livekit.RoomService
	sfu *SFU
}

func newAPI(s *SFU) http.Handler {
	known := livekit.NewRoomServiceServer(api{sfu: s})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case "CreateRoom", "DeleteRoom", "ListRooms", "GetParticipant", "ListParticipants", "RemoveParticipant", "UpdateSubscriptions":
			if !s.someNode((*Node).answers) {
				twirp.WriteError(w, twirp.InternalError("redis: no connection"))
				return
			}
			known.ServeHTTP(w, r)
		default:
			twirp.WriteError(w, twirp.NewError(twirp.Unimplemented, "the fake SFU does not know this method"))
		}
	})
}

// CreateRoom creates a room. The room has LiveKit's default timeouts unless the
// request sets the timeouts.
func (a api) CreateRoom(ctx context.Context, req *livekit.CreateRoomRequest) (*livekit.Room, error) {
	if !granted(ctx).RoomCreate {
		return nil, errDenied()
	}
	room, err := a.sfu.create(Room{
		Name:             sfu.Room(req.Name),
		EmptyTimeout:     time.Duration(cmp.Or(req.EmptyTimeout, 300)) * time.Second,
		DepartureTimeout: time.Duration(cmp.Or(req.DepartureTimeout, 20)) * time.Second,
		MaxParticipants:  req.MaxParticipants,
		Created:          time.Now(),
	})
	switch {
	case errors.Is(err, errSilent):
		return nil, silence(ctx)
	case err != nil:
		return nil, twirp.NewError(twirp.Unknown, err.Error())
	}
	return message(room), nil
}

// create returns the room called wanted.Name. If that room does not exist,
// create makes it from wanted. create does not change an existing room.
func (s *SFU) create(wanted Room) (Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	n, err := s.host(wanted.Name)
	if err != nil {
		return Room{}, err
	}
	return n.run(wanted).Room, nil
}

// wrapped is the beginning of LiveKit's text for an error that has a code.
const wrapped = "twirp error unknown: "

// silence waits for 3 s, as LiveKit does for a node that does not answer. Then
// it returns LiveKit's error.
func silence(ctx context.Context) error {
	select {
	case <-time.After(silentTime):
	case <-ctx.Done():
	}
	return twirp.NewError(twirp.Unavailable, wrapped+errSilent.Error())
}

// DeleteRoom ends a room. It returns no error if the room does not exist.
func (a api) DeleteRoom(ctx context.Context, req *livekit.DeleteRoomRequest) (*livekit.DeleteRoomResponse, error) {
	if !granted(ctx).RoomCreate {
		return nil, errDenied()
	}
	a.sfu.CloseRoom(sfu.Room(req.Room))
	return &livekit.DeleteRoomResponse{}, nil
}

func (a api) ListRooms(ctx context.Context, req *livekit.ListRoomsRequest) (*livekit.ListRoomsResponse, error) {
	if !granted(ctx).RoomList {
		return nil, errDenied()
	}
	answer := &livekit.ListRoomsResponse{}
	for _, room := range a.sfu.Rooms() {
		if len(req.Names) == 0 || slices.Contains(req.Names, string(room.Name)) {
			answer.Rooms = append(answer.Rooms, message(room))
		}
	}
	return answer, nil
}

// GetParticipant returns the same error for a missing room and for a missing
// participant, as LiveKit does.
func (a api) GetParticipant(ctx context.Context, req *livekit.RoomParticipantIdentity) (*livekit.ParticipantInfo, error) {
	if !administers(ctx, req.Room) {
		return nil, errDenied()
	}
	if p := a.sfu.record(sfu.Room(req.Room), sfu.Identity(req.Identity)); p != nil {
		return p, nil
	}
	return nil, twirp.NotFoundError(wrapped + "participant does not exist")
}

// ListParticipants returns an empty list if the room does not exist.
func (a api) ListParticipants(ctx context.Context, req *livekit.ListParticipantsRequest) (*livekit.ListParticipantsResponse, error) {
	if !administers(ctx, req.Room) {
		return nil, errDenied()
	}
	return &livekit.ListParticipantsResponse{Participants: a.sfu.recorded(sfu.Room(req.Room))}, nil
}

// Removal is a session that RemoveParticipant has ended.
type Removal struct {
	Room     sfu.Room
	Identity sfu.Identity
	Session  string
	// Revoke is the field revoke_token_ts in the request to RemoveParticipant.
	Revoke int64
	// Report is the webhook that LiveKit sends for this removal.
	Report *livekit.WebhookEvent
}

// Removals returns all sessions that RemoveParticipant has ended so far.
func (s *SFU) Removals() []Removal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.removals)
}

// RemoveParticipant ends a session and records a Removal. It sends no webhook,
// but the test can send the webhook in Removal.Report.
func (a api) RemoveParticipant(ctx context.Context, req *livekit.RoomParticipantIdentity) (*livekit.RemoveParticipantResponse, error) {
	recorded, err := a.GetParticipant(ctx, req)
	if recorded == nil {
		return nil, err
	}
	if !a.sfu.toNode(req.Room, req.Identity, func(n *Node, room sfu.Room, identity sfu.Identity) { n.remove(room, identity, req.RevokeTokenTs) }) {
		return nil, silence(ctx)
	}
	return &livekit.RemoveParticipantResponse{}, nil
}

// UpdateSubscriptions changes nothing, because the fake has no tracks.
func (a api) UpdateSubscriptions(ctx context.Context, req *livekit.UpdateSubscriptionsRequest) (*livekit.UpdateSubscriptionsResponse, error) {
	if !administers(ctx, req.Room) {
		return nil, errDenied()
	}
	if !a.sfu.toNode(req.Room, req.Identity, func(*Node, sfu.Room, sfu.Identity) {}) {
		return nil, silence(ctx)
	}
	return &livekit.UpdateSubscriptionsResponse{}, nil
}

// toNode looks for the node that holds the session, and calls do with this
// node. It returns false if there is no such node, or if the node does not
// answer.
func (s *SFU) toNode(room, identity string, do func(*Node, sfu.Room, sfu.Identity)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	for _, n := range s.nodes {
		r := n.rooms[sfu.Room(room)]
		if n.answers() && r != nil && r.sids[sfu.Identity(identity)] != "" {
			do(n, sfu.Room(room), sfu.Identity(identity))
			return true
		}
	}
	return false
}

func administers(ctx context.Context, room string) bool {
	grant := granted(ctx)
	return grant.RoomAdmin && grant.Room == room
}

func errDenied() error { return twirp.NewError(twirp.Unauthenticated, "permissions denied") }

func message(r Room) *livekit.Room {
	return &livekit.Room{
		Name:             string(r.Name),
		EmptyTimeout:     uint32(r.EmptyTimeout / time.Second),
		DepartureTimeout: uint32(r.DepartureTimeout / time.Second),
		MaxParticipants:  r.MaxParticipants,
		CreationTime:     r.Created.Unix(),
	}
}

// validate tells a client whether the SFU would admit it. Like LiveKit, it answers
// 200 to a client that would be admitted, and 401 or 404 to any other.
func (s *SFU) validate(w http.ResponseWriter, r *http.Request) {
	grant := granted(r.Context())
	switch {
	case !grant.RoomJoin:
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte("permissions denied"))
	case !grant.RoomCreate && !s.isRecorded(sfu.Room(grant.Room)):
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte("requested room does not exist"))
	default:
		w.Write([]byte("success"))
	}
}

func (s *SFU) isRecorded(name sfu.Room) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	_, ok := s.records.rooms[name]
	return ok
}
