package sfutest

import (
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu"
)

// room is a room and who is in it.
type room struct {
	Room
	sids map[sfu.Identity]string
	left time.Time // when somebody last left, zero if nobody ever did
}

func (r *room) isOver(now time.Time) bool {
	switch {
	case len(r.sids) > 0:
		return false
	case r.left.IsZero():
		return now.Sub(r.Created) >= r.EmptyTimeout
	}
	return now.Sub(r.left) >= r.DepartureTimeout
}

// Join lets identity into a room and returns what LiveKit reports when its
// media is connected; Participant.Sid names the new session. An older session
// of the identity ends. Nil means that there is no such room.
func (s *SFU) Join(name sfu.Room, identity sfu.Identity) *livekit.WebhookEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	r, ok := s.rooms[name]
	if !ok {
		return nil
	}
	s.joined++
	r.sids[identity] = fmt.Sprintf("PA_%012d", s.joined)
	return report("participant_joined", name, participant(identity, r.sids[identity]))
}

// Joined returns the report of the joining once more. Nil means that identity
// has no session there.
func (s *SFU) Joined(name sfu.Room, identity sfu.Identity) *livekit.WebhookEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	r, ok := s.rooms[name]
	if !ok || r.sids[identity] == "" {
		return nil
	}
	return report("participant_joined", name, participant(identity, r.sids[identity]))
}

// Leave ends the session of identity and returns what LiveKit reports then;
// with Event set to "participant_connection_aborted" it is what it reports of a
// session that never had media. Nil means that there is no such session.
func (s *SFU) Leave(name sfu.Room, identity sfu.Identity, reason livekit.DisconnectReason) *livekit.WebhookEvent {
	sid := s.Vanish(name, identity)
	if sid == "" {
		return nil
	}
	p := participant(identity, sid)
	p.State, p.DisconnectReason = livekit.ParticipantInfo_DISCONNECTED, reason
	return report("participant_left", name, p)
}

// Vanish ends the session of identity without a report. It returns its sid, ""
// if there was none.
func (s *SFU) Vanish(name sfu.Room, identity sfu.Identity) (sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	r, ok := s.rooms[name]
	if !ok || r.sids[identity] == "" {
		return ""
	}
	sid = r.sids[identity]
	delete(r.sids, identity)
	r.left = time.Now()
	return sid
}

// participants returns who is in a room, nobody if it does not exist.
func (s *SFU) participants(name sfu.Room) []*livekit.ParticipantInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	var all []*livekit.ParticipantInfo
	if r, ok := s.rooms[name]; ok {
		for identity, sid := range r.sids {
			all = append(all, participant(identity, sid))
		}
	}
	return all
}

func participant(identity sfu.Identity, sid string) *livekit.ParticipantInfo {
	return &livekit.ParticipantInfo{Sid: sid, Identity: string(identity), State: livekit.ParticipantInfo_ACTIVE}
}

func report(event string, name sfu.Room, p *livekit.ParticipantInfo) *livekit.WebhookEvent {
	now := time.Now()
	return &livekit.WebhookEvent{
		Event:       event,
		Id:          fmt.Sprintf("EV_%d", now.UnixNano()),
		CreatedAt:   now.Unix(),
		Room:        &livekit.Room{Sid: "RM_" + string(name), Name: string(name)},
		Participant: p,
	}
}
