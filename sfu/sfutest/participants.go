package sfutest

import (
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu"
)

// Join lets identity join a room. An older session of identity on the same node
// ends. Join returns the webhook that LiveKit sends when the participant's
// media is connected. Participant.Sid in this webhook is the sid of the new
// session.
//
// Join returns nil if there is no such room, or if no node answers for the
// room. No node answers in the 5 s after the room's node died.
func (s *SFU) Join(name sfu.Room, identity sfu.Identity) *livekit.WebhookEvent {
	return s.JoinAs(name, identity, nil, livekit.ParticipantInfo_STANDARD)
}

// JoinAs is like Join, for a participant with attributes and a kind.
func (s *SFU) JoinAs(name sfu.Room, identity sfu.Identity, attributes map[string]string, kind livekit.ParticipantInfo_Kind) *livekit.WebhookEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	recorded, ok := s.records.rooms[name]
	if !ok {
		return nil
	}
	n, err := s.host(name)
	if err != nil {
		return nil
	}
	s.joined++
	sid := fmt.Sprintf("PA_%012d", s.joined)
	s.sessions[sid] = session{attributes: attributes, kind: kind, since: time.Now()}
	n.run(recorded).sids[identity] = sid
	s.records.put(name, identity, sid)
	return report("participant_joined", name, s.participant(identity, sid))
}

// session holds the properties of a session that never change.
type session struct {
	attributes map[string]string
	kind       livekit.ParticipantInfo_Kind
	since      time.Time
}

// Connect lets the bearer of an access token join, with the token's attributes.
// Like Join, it returns the webhook that LiveKit sends. If suffix is not "",
// the new session is called "identity#suffix", as for a client that connects
// with publish=suffix. Connect returns nil if the SFU refuses the token.
func (s *SFU) Connect(token, suffix string) *livekit.WebhookEvent {
	claims, problem := s.verify(token)
	if problem != "" || claims.Video == nil || !claims.Video.RoomJoin {
		return nil
	}
	identity := claims.Identity
	if suffix != "" {
		identity += "#" + suffix
	}
	return s.JoinAs(sfu.Room(claims.Video.Room), sfu.Identity(identity), claims.Attributes, claims.GetParticipantKind())
}

// Joined returns the same webhook that Join returned before. It returns nil if
// identity has no session in the room.
func (s *SFU) Joined(name sfu.Room, identity sfu.Identity) *livekit.WebhookEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	_, sid := s.session(name, identity)
	if sid == "" {
		return nil
	}
	return report("participant_joined", name, s.participant(identity, sid))
}

// Live returns the sid of the session of identity in a room, or "" if there is
// none. It asks the nodes, and ignores the records. If two nodes hold a
// session, it returns the newer one.
func (s *SFU) Live(name sfu.Room, identity sfu.Identity) (sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	_, sid = s.session(name, identity)
	return sid
}

// session returns the sid of the session of identity, and the node that holds
// it.
func (s *SFU) session(name sfu.Room, identity sfu.Identity) (node *Node, sid string) {
	for _, n := range s.nodes {
		if r := n.rooms[name]; r != nil && r.sids[identity] > sid {
			node, sid = n, r.sids[identity]
		}
	}
	return node, sid
}

// Change makes the node write the record of a session again. LiveKit does so when
// the participant mutes itself or publishes a track.
func (s *SFU) Change(name sfu.Room, identity sfu.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if n, sid := s.session(name, identity); n != nil && !n.cut {
		s.records.put(name, identity, sid)
	}
}

// Leave ends the session of identity, and returns the webhook that LiveKit
// sends. It returns nil if there is no such session. If two nodes hold a
// session, Leave ends the newer one, and Node.Leave can end the other one.
//
// For a session that never had media, a test can set the webhook's Event to
// "participant_connection_aborted".
func (s *SFU) Leave(name sfu.Room, identity sfu.Identity, reason livekit.DisconnectReason) *livekit.WebhookEvent {
	sid := s.Vanish(name, identity)
	if sid == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.departure(name, identity, sid, reason)
}

// Leave ends a session on this node, and returns the webhook that LiveKit
// sends. It returns nil if there is no such session.
func (n *Node) Leave(name sfu.Room, identity sfu.Identity, reason livekit.DisconnectReason) (left *livekit.WebhookEvent) {
	n.change(func(time.Time) {
		if r := n.rooms[name]; r != nil && r.sids[identity] != "" {
			left = n.sfu.departure(name, identity, r.sids[identity], reason)
			n.end(name, identity)
		}
	})
	return left
}

// Vanish ends the session of identity without a webhook. It returns the
// session's sid, or "" if there was no session.
func (s *SFU) Vanish(name sfu.Room, identity sfu.Identity) (sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	n, sid := s.session(name, identity)
	if n != nil {
		n.end(name, identity)
	}
	return sid
}

// recorded returns the participants in a room according to the records.
func (s *SFU) recorded(name sfu.Room) []*livekit.ParticipantInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	var all []*livekit.ParticipantInfo
	for identity, sid := range s.records.sessions[name] {
		all = append(all, s.participant(identity, sid))
	}
	return all
}

// record returns the participant in a room according to the records, or nil if
// there is none.
func (s *SFU) record(name sfu.Room, identity sfu.Identity) *livekit.ParticipantInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	sid, ok := s.records.sessions[name][identity]
	if !ok {
		return nil
	}
	return s.participant(identity, sid)
}

func (s *SFU) participant(identity sfu.Identity, sid string) *livekit.ParticipantInfo {
	of := s.sessions[sid]
	return &livekit.ParticipantInfo{
		Sid: sid, Identity: string(identity), State: livekit.ParticipantInfo_ACTIVE,
		Attributes: of.attributes, Kind: of.kind, JoinedAt: of.since.Unix(), JoinedAtMs: of.since.UnixMilli(),
	}
}

func (s *SFU) departure(name sfu.Room, identity sfu.Identity, sid string, reason livekit.DisconnectReason) *livekit.WebhookEvent {
	p := s.participant(identity, sid)
	p.State, p.DisconnectReason = livekit.ParticipantInfo_DISCONNECTED, reason
	return report("participant_left", name, p)
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
