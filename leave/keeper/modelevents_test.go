package keeper_test

import (
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu/sfutest"
)

type happening struct {
	name   string
	happen func()
}

func (m *model) events() []happening {
	return []happening{
		{"nothing", func() {}}, {"nothing", func() {}},
		{"reconnect", m.reconnect}, {"reconnect", m.reconnect},
		{"take over", m.takeOver},
		{"SFU away", m.sfuAway}, {"SFU restarts", m.sfuRestarts},
		{"proxy answers", m.proxyAnswers}, {"no room can be created", m.noRoomCanBeCreated},
		{"node dies", m.nodeDies}, {"node restarts", m.nodeRestarts}, {"node drains", m.nodeDrains}, {"node stops", m.nodeStops},
		{"node is cut off", m.nodeIsCutOff}, {"node is cut off from its clients, too", m.nodeIsCutOffAltogether},
		{"Redis emptied", m.redisEmptied}, {"Redis from an old file", m.redisFromAFile}, {"Redis restarts empty", m.redisRestarts},
		{"homeserver away", m.homeserverAway}, {"homeserver limits", m.homeserverLimits},
		{"program restarts", m.programRestarts}, {"other freezes", m.otherFreezes},
		{"delegates again", m.delegateAgain}, {"delegates another", m.delegateAnother}, {"delegates nothing", m.delegateNothing},
	}
}

// come makes the client join as soon as possible. The client asks for a token, and
// the service creates the room for that. LiveKit admits clients only to a room with
// a record. If a node still runs the room, LiveKit writes no record of it for
// minutes. So come closes the room on that node.
func (m *model) come() {
	for range 1200 {
		if created := m.client.CreateRoom(m.t.Context(), key.Room); created == nil && len(m.fake.Rooms()) == 0 {
			m.fake.CloseRoom(key.Room)
		}
		if m.client.CreateRoom(m.t.Context(), key.Room) == nil {
			if m.joined = m.fake.Join(key.Room, key.Identity); m.joined != nil {
				m.tell("joins %s", m.joined.Participant.Sid)
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	m.fatalf("cannot join")
}

// comeBack makes a client that was thrown out come back within 8 s. If the client's
// node has just died, it comes back some seconds later.
func (m *model) comeBack() {
	time.Sleep(m.upTo(8 * time.Second))
	m.come()
	m.hint(m.joined)
}

// reconnect breaks the client's connection. The client is back within a second.
func (m *model) reconnect() {
	m.hint(m.fake.Leave(key.Room, key.Identity, livekit.DisconnectReason_SIGNAL_CLOSE))
	time.Sleep(m.upTo(900 * time.Millisecond))
	m.come()
	m.hint(m.joined)
}

// takeOver makes another session of the same identity replace the first session.
func (m *model) takeOver() {
	if len(m.fake.Rooms()) == 0 {
		return // LiveKit admits clients only to a room that is on record
	}
	old, home := m.joined.Participant.Sid, m.home()
	m.come()
	if home.Session(key.Room, key.Identity) == old { // the new session is on another node
		home.Leave(key.Room, key.Identity, livekit.DisconnectReason_SIGNAL_CLOSE)
	}
	m.hint(departed(old))
	m.hint(m.joined)
}

// departed returns LiveKit's webhook about a session that another session has
// replaced.
func departed(session string) *livekit.WebhookEvent {
	return &livekit.WebhookEvent{
		Event: "participant_left", Room: &livekit.Room{Name: string(key.Room)},
		Participant: &livekit.ParticipantInfo{Sid: session, Identity: string(key.Identity), DisconnectReason: livekit.DisconnectReason_DUPLICATE_IDENTITY},
	}
}

// restartAll restarts all nodes. It chooses at random whether LiveKit has a Redis.
// Without a Redis, LiveKit forgets everything.
func (m *model) restartAll() {
	for _, id := range []string{"a", "b"} {
		m.fake.Node(id).Kill()
		m.fake.Node(id).Start()
	}
	if m.random.IntN(2) == 0 {
		m.tell("with Redis")
		m.stale = true
		return
	}
	m.fake.Flush()
	time.Sleep(2 * time.Second) // waits until LiveKit knows its nodes again
}

// sfuRestarts restarts the SFU. The SFU is back before anybody asks it, and its
// clients come back soon after.
func (m *model) sfuRestarts() {
	m.restartAll()
	m.hangUp()
	m.comeBack()
}

// sfuAway makes the SFU unreachable for up to a minute. All clients are thrown
// out, and come back within 8 s after the SFU's return.
func (m *model) sfuAway() {
	m.fake.FailAlways(sfutest.Drop())
	m.hangUp()
	reports := m.fake.Leave(key.Room, key.Identity, livekit.DisconnectReason_SERVER_SHUTDOWN)
	m.restartAll()
	if m.random.IntN(2) == 0 {
		m.hint(reports)
	}
	time.Sleep(500*time.Millisecond + m.upTo(time.Minute))
	m.fake.FailAlways(nil)
	m.comeBack()
}

// proxyAnswers makes the SFU go away while a proxy holds the connections and
// answers in the SFU's place. Clients can delegate meanwhile. The keeper may not
// notice the outage. Then it sends the leave after it has missed the participant
// twice. So the participant must stay for a whole grace afterwards.
func (m *model) proxyAnswers() {
	m.fake.FailAlways([]sfutest.Fault{sfutest.Status(502), sfutest.Status(404), sfutest.Garbage()}[m.random.IntN(3)])
	m.restartAll()
	time.Sleep(500*time.Millisecond + m.upTo(30*time.Second))
	[]func(){func() {}, m.delegateAgain, m.delegateAnother}[m.random.IntN(3)]()
	rest := m.upTo(90 * time.Second)
	time.Sleep(rest)
	m.fake.FailAlways(nil)
	time.Sleep(5100*time.Millisecond + m.upTo(3*time.Second))
	if len(m.fake.Rooms()) == 0 && rest > 62*time.Second {
		m.fatalf("after an outage of more than 62 s, which the keeper must have noticed, the SFU does not have the room")
	}
	m.come()
	m.hint(m.joined)
	time.Sleep(grace.Outage)
}

// noRoomCanBeCreated restarts the SFU. For up to 20 s, the SFU creates no rooms,
// does not list rooms, or both.
func (m *model) noRoomCanBeCreated() {
	calls := [][]string{{"CreateRoom"}, {"ListRooms"}, {"CreateRoom", "ListRooms"}}[m.random.IntN(3)]
	m.fake.FailAlways(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if slices.Contains(calls, path.Base(r.URL.Path)) {
			next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sfutest.TwirpError("internal", "scripted")(w, r, nil)
			})
		}
		next.ServeHTTP(w, r)
	})
	m.restartAll()
	time.Sleep(m.upTo(20 * time.Second))
	m.fake.FailAlways(nil)
	m.comeBack()
}

// home returns the node that holds the participant's session.
func (m *model) home() *sfutest.Node {
	for _, id := range []string{"a", "b"} {
		if m.fake.Node(id).Session(key.Room, key.Identity) != "" {
			return m.fake.Node(id)
		}
	}
	m.fatalf("the member is on no node")
	return nil
}

// kill kills the participant's node. At random, the keeper's connection to LiveKit
// also ends, as if it had led to that node.
func (m *model) kill() *sfutest.Node {
	home := m.home()
	home.Kill()
	if m.random.IntN(2) == 0 {
		m.hangUp()
	}
	return home
}

// nodeDies kills the participant's node. The client comes back to another node.
// The dead node starts again up to a minute later.
func (m *model) nodeDies() {
	home := m.kill()
	m.comeBack()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeRestarts kills the participant's node. The node is back at once with the same
// id.
func (m *model) nodeRestarts() {
	m.kill().Start()
	m.comeBack()
}

// nodeDrains drains the participant's node. A drained node throws nobody out.
func (m *model) nodeDrains() {
	home := m.home()
	home.Drain()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeStops stops the participant's node. The node reports that its clients have
// left, and they come back to another node.
func (m *model) nodeStops() {
	home := m.home()
	for _, report := range home.Stop() {
		m.hint(report)
	}
	m.comeBack()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeIsCutOff cuts the participant's node off from LiveKit's Redis for up to 20 s.
// Its clients do not notice that. If the Redis has just lost their records, the
// keeper must first ask who is in the room, to know that they are there. So
// nodeIsCutOff waits before it cuts the node off.
func (m *model) nodeIsCutOff() {
	time.Sleep(65 * time.Second)
	home := m.home()
	home.Partition()
	time.Sleep(m.upTo(20 * time.Second))
	home.Heal()
	time.Sleep(grace.Outage)
}

// nodeIsCutOffAltogether cuts the participant's node off from everything. The
// clients of the node go to another node. When the first node is back, it ends
// their old sessions, and so deletes the records of the new ones.
func (m *model) nodeIsCutOffAltogether() {
	home := m.home()
	home.Partition()
	m.comeBack()
	time.Sleep(m.upTo(20 * time.Second))
	home.Heal()
	m.hint(home.Leave(key.Room, key.Identity, livekit.DisconnectReason_CONNECTION_TIMEOUT))
}

// redisEmptied removes all records from LiveKit's Redis. All participants are still
// there.
func (m *model) redisEmptied() {
	m.fake.Flush()
	time.Sleep(m.upTo(5 * time.Second))
	if m.random.IntN(2) == 0 {
		m.fake.Change(key.Room, key.Identity)
	}
}

// redisFromAFile puts old records into LiveKit's Redis.
func (m *model) redisFromAFile() {
	m.fake.Restore(m.dump)
	m.stale = true
	if m.random.IntN(2) == 0 {
		m.save()
	}
}

// redisRestarts cuts all nodes off from LiveKit's Redis for some seconds. Then the
// Redis is back, but empty.
func (m *model) redisRestarts() {
	for _, id := range []string{"a", "b"} {
		m.fake.Node(id).Partition()
	}
	time.Sleep(m.upTo(5 * time.Second))
	m.fake.Flush()
	for _, id := range []string{"a", "b"} {
		m.fake.Node(id).Heal()
		time.Sleep(m.upTo(2 * time.Second))
	}
}
