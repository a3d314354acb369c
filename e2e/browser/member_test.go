package browser

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/stack"
)

// membership returns the content of the event that says whether p is in the call of the
// room. It asks the homeserver with the account of another person. In compatibility
// mode the event is a state event. In matrix_2_0 mode it is the newest member event
// with p's sticky key. If there is no such event, membership returns nil.
func (p *person) membership(ctx context.Context, by *account.Account, room string, mode stack.Mode) (map[string]any, error) {
	look := by.State
	if mode == stack.Matrix2 {
		look = func(ctx context.Context, room string) ([]account.Event, error) {
			return by.Timeline(ctx, room, 100)
		}
	}
	events, err := look(ctx, room)
	if err != nil {
		return nil, err
	}
	for _, event := range events {
		if event.Type == memberEvent(mode) && event.Sender == p.UserID {
			return event.Content, nil
		}
	}
	return nil, nil
}

// memberEvent returns the type of the event that says who is in a call.
func memberEvent(mode stack.Mode) string {
	if mode == stack.Matrix2 {
		return account.RTCMember
	}
	return account.CallMember
}

// present reports whether the content of a membership event says that the person is in
// the call. It returns false for an empty state event. It also returns false for a
// sticky event that contains only the sticky key, because such an event ends a
// membership.
func present(membership map[string]any) bool {
	return membership["application"] != nil
}

// isMember waits until the homeserver tells another person that p is in the call.
func (p *person) isMember(by *person, room string, mode stack.Mode) {
	p.t.Helper()
	p.eventually(joining, p.name+" is a member", func() (bool, string) {
		found, err := p.membership(p.t.Context(), by.Account, room, mode)
		return seen(present(found), found, err)
	})
}

// hasLeft waits until the homeserver tells a different person (by) that p has left the
// call, and returns how long that took.
func (p *person) hasLeft(by *person, room string, mode stack.Mode, limit time.Duration) time.Duration {
	p.t.Helper()
	return p.eventually(limit, p.name+" has left", func() (bool, string) {
		found, err := p.membership(p.t.Context(), by.Account, room, mode)
		return seen(found != nil && !present(found), found, err)
	})
}

// isEncrypted checks that the SFU gets only encrypted tracks in the call of the room.
// Each person must publish two tracks.
func isEncrypted(t *testing.T, s *stack.Stack, room string, people int) {
	t.Helper()
	tracks := 0
	for _, participant := range participants(t, s, room) {
		for _, track := range participant.GetTracks() {
			tracks++
			if track.GetEncryption() != livekit.Encryption_GCM {
				t.Errorf("%s of %s: got the encryption %v, want %v", track.GetSource(), participant.GetIdentity(), track.GetEncryption(), livekit.Encryption_GCM)
			}
		}
	}
	if tracks != 2*people {
		t.Errorf("the SFU: got %d tracks of %d people, want %d", tracks, people, 2*people)
	}
}

// participants asks the SFU who is in the call of the Matrix room.
func participants(t *testing.T, s *stack.Stack, room string) []*livekit.ParticipantInfo {
	t.Helper()
	key := s.SFU.Keys[0]
	client := lksdk.NewRoomServiceClient(s.SFU.APIURL(), key.ID, key.Secret)
	answer, err := client.ListParticipants(within(t, 20*time.Second), &livekit.ListParticipantsRequest{Room: livekitRoom(room)})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetParticipants()
}

// livekitRoom returns the name of the LiveKit room for the call of a Matrix room
// (MSC4195). Room ids in these tests contain no character that JSON escapes.
func livekitRoom(room string) string {
	canonical, _ := json.Marshal([]string{room, "m.call#ROOM"})
	sum := sha256.Sum256(canonical)
	return base64.RawStdEncoding.EncodeToString(sum[:])
}
