package sfutest

import (
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu"
)

// Join lets identity into a room and returns what LiveKit reports when its
// media is connected; Participant.Sid names the new session. An older session
// of the identity on the same node ends. Nil means that there is no such room,
// or no node that answers for it, as in the 5 s after the death of its node.
func (s *SFU) Join(name sfu.Room, identity sfu.Identity) *livekit.WebhookEvent {
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
	n.run(recorded).sids[identity] = sid
	s.records.put(name, identity, sid)
	return report("participant_joined", name, participant(identity, sid))
}

// Joined returns the report of the joining once more. Nil means that identity
// has no session there.
func (s *SFU) Joined(name sfu.Room, identity sfu.Identity) *livekit.WebhookEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	_, sid := s.session(name, identity)
	if sid == "" {
		return nil
	}
	return report("participant_joined", name, participant(identity, sid))
}

// Live returns the sid of the session that identity has in a room, whatever the
// records say, "" if it has none. Of two on different nodes it is the newer one.
func (s *SFU) Live(name sfu.Room, identity sfu.Identity) (sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	_, sid = s.session(name, identity)
	return sid
}

// session returns the session of an identity and the node that holds it.
func (s *SFU) session(name sfu.Room, identity sfu.Identity) (node *Node, sid string) {
	for _, n := range s.nodes {
		if r := n.rooms[name]; r != nil && r.sids[identity] > sid {
			node, sid = n, r.sids[identity]
		}
	}
	return node, sid
}

// Change has the node of a session write its record, as it does when the
// participant mutes itself or publishes something.
func (s *SFU) Change(name sfu.Room, identity sfu.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if n, sid := s.session(name, identity); n != nil && !n.cut {
		s.records.put(name, identity, sid)
	}
}

// Leave ends the session of identity and returns what LiveKit reports then;
// with Event set to "participant_connection_aborted" it is what it reports of a
// session that never had media. Nil means that there is no such session. Of two
// on different nodes the newer one ends; Node.Leave ends another.
func (s *SFU) Leave(name sfu.Room, identity sfu.Identity, reason livekit.DisconnectReason) *livekit.WebhookEvent {
	sid := s.Vanish(name, identity)
	if sid == "" {
		return nil
	}
	return departure(name, identity, sid, reason)
}

// Leave ends a session of the node and returns what LiveKit reports then. Nil
// means that there is no such session.
func (n *Node) Leave(name sfu.Room, identity sfu.Identity, reason livekit.DisconnectReason) (left *livekit.WebhookEvent) {
	n.change(func(time.Time) {
		if r := n.rooms[name]; r != nil && r.sids[identity] != "" {
			left = departure(name, identity, r.sids[identity], reason)
			n.end(name, identity)
		}
	})
	return left
}

// Vanish ends the session of identity without a report. It returns its sid, ""
// if there was none.
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

// recorded returns who is in a room by the records, nobody if there is none.
func (s *SFU) recorded(name sfu.Room) []*livekit.ParticipantInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	var all []*livekit.ParticipantInfo
	for identity, sid := range s.records.sessions[name] {
		all = append(all, participant(identity, sid))
	}
	return all
}

func participant(identity sfu.Identity, sid string) *livekit.ParticipantInfo {
	return &livekit.ParticipantInfo{Sid: sid, Identity: string(identity), State: livekit.ParticipantInfo_ACTIVE}
}

func departure(name sfu.Room, identity sfu.Identity, sid string, reason livekit.DisconnectReason) *livekit.WebhookEvent {
	p := participant(identity, sid)
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
