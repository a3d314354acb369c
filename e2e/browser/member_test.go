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

// membership returns the content of the event that says whether the person is
// in the room's call, as another person gets it from the homeserver. In
// compatibility mode that is a state event. In matrix_2_0 mode it is the
// newest member event with the person's sticky key. membership returns nil if
// there is no such event.
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

// memberEvent is the type of the events that say who is in a call.
func memberEvent(mode stack.Mode) string {
	if mode == stack.Matrix2 {
		return account.RTCMember
	}
	return account.CallMember
}

// present reports whether the content of a membership says that the person is
// in the call. An empty state event does not say so, nor does a sticky event
// with nothing but the sticky key, which ends a membership.
func present(membership map[string]any) bool {
	return membership["application"] != nil
}

// isMember waits until another person sees on the homeserver that p is in the
// call.
func (p *person) isMember(by *person, room string, mode stack.Mode) {
	p.t.Helper()
	p.eventually(joining, p.name+" is a member", func() (bool, string) {
		found, err := p.membership(p.t.Context(), by.Account, room, mode)
		return seen(present(found), found, err)
	})
}

// hasLeft waits until another person sees on the homeserver that p was in the
// call and has left it, and returns how long that took.
func (p *person) hasLeft(by *person, room string, mode stack.Mode, limit time.Duration) time.Duration {
	p.t.Helper()
	return p.eventually(limit, p.name+" has left", func() (bool, string) {
		found, err := p.membership(p.t.Context(), by.Account, room, mode)
		return seen(found != nil && !present(found), found, err)
	})
}

// isEncrypted checks that the SFU gets only encrypted tracks in the call of a
// room. Each person publishes two tracks.
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

// participants asks the SFU who is in the call of a room.
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

// livekitRoom returns the name of the LiveKit room of a room's call (MSC4195).
// The ids of the tests have no character that JSON escapes.
func livekitRoom(room string) string {
	canonical, _ := json.Marshal([]string{room, "m.call#ROOM"})
	sum := sha256.Sum256(canonical)
	return base64.RawStdEncoding.EncodeToString(sum[:])
}
