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

// come makes the client join as soon as possible. The client asks for a token, so the
// service creates the room. LiveKit admits clients only to a room that is in its
// records. If a node still runs the room, LiveKit writes no record for minutes. So come
// closes the room on that node.
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

// comeBack makes the client come back within 8 s after LiveKit has thrown it out. If
// the client's node has just died, the client may need some seconds more.
func (m *model) comeBack() {
	time.Sleep(m.upTo(8 * time.Second))
	m.come()
	m.hint(m.joined)
}

// reconnect breaks the client's connection, and brings the client back within a second.
func (m *model) reconnect() {
	m.hint(m.fake.Leave(key.Room, key.Identity, livekit.DisconnectReason_SIGNAL_CLOSE))
	time.Sleep(m.upTo(900 * time.Millisecond))
	m.come()
	m.hint(m.joined)
}

// takeOver makes another client join with the same identity. The new session replaces
// the first one.
func (m *model) takeOver() {
	if len(m.fake.Rooms()) == 0 {
		return // LiveKit admits clients only to a room that is in its records
	}
	old, home := m.joined.Participant.Sid, m.home()
	m.come()
	if home.Session(key.Room, key.Identity) == old { // the new session is on another node, so the old one still exists
		home.Leave(key.Room, key.Identity, livekit.DisconnectReason_SIGNAL_CLOSE)
	}
	m.hint(departed(old))
	m.hint(m.joined)
}

// departed returns LiveKit's webhook which reports that the session was replaced by
// another one.
func departed(session string) *livekit.WebhookEvent {
	return &livekit.WebhookEvent{
		Event: "participant_left", Room: &livekit.Room{Name: string(key.Room)},
		Participant: &livekit.ParticipantInfo{Sid: session, Identity: string(key.Identity), DisconnectReason: livekit.DisconnectReason_DUPLICATE_IDENTITY},
	}
}

// restartAll restarts all LiveKit nodes. In half of the cases LiveKit has no Redis, and
// forgets everything.
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
	time.Sleep(2 * time.Second) // by then LiveKit knows its nodes again
}

// sfuRestarts restarts the SFU, which is back before anybody asks it a question. The
// clients come back a little later.
func (m *model) sfuRestarts() {
	m.restartAll()
	m.hangUp()
	m.comeBack()
}

// sfuAway makes the SFU unreachable for up to a minute. LiveKit throws all clients out.
// They come back within 8 s after the SFU has returned.
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

// proxyAnswers makes the SFU go away, while a proxy holds the connections and answers
// in the SFU's place. Clients can still delegate. At the end the participant comes
// back, and stays for the time grace.Outage. The reason is that the keeper may not have
// noticed the outage. If the participant then left earlier, the keeper would send the
// leave after two answers of the SFU without the participant.
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

// noRoomCanBeCreated restarts the SFU. For up to 20 s, the SFU refuses to create rooms,
// to list rooms, or both.
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

// home returns the LiveKit node that holds the participant's session.
func (m *model) home() *sfutest.Node {
	for _, id := range []string{"a", "b"} {
		if m.fake.Node(id).Session(key.Room, key.Identity) != "" {
			return m.fake.Node(id)
		}
	}
	m.fatalf("the member is on no node")
	return nil
}

// kill kills the LiveKit node that holds the participant's session. In some cases,
// chosen at random, the keeper's connection to LiveKit also ends, as if it had led to
// that node.
func (m *model) kill() *sfutest.Node {
	home := m.home()
	home.Kill()
	if m.random.IntN(2) == 0 {
		m.hangUp()
	}
	return home
}

// nodeDies kills the participant's node, and the client comes back on another node. The
// dead node starts again up to a minute later.
func (m *model) nodeDies() {
	home := m.kill()
	m.comeBack()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeRestarts kills the participant's node, and immediately starts it again with the
// same id.
func (m *model) nodeRestarts() {
	m.kill().Start()
	m.comeBack()
}

// nodeDrains drains the participant's node. A draining node takes no new clients, but
// keeps those that it has.
func (m *model) nodeDrains() {
	home := m.home()
	home.Drain()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeStops stops the participant's node. The node sends webhooks that its clients have
// left. The clients come back on another node.
func (m *model) nodeStops() {
	home := m.home()
	for _, report := range home.Stop() {
		m.hint(report)
	}
	m.comeBack()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeIsCutOff cuts the participant's node off from LiveKit's Redis for up to 20 s. The
// clients of the node do not notice this. An earlier event of the test may have removed
// their records from that Redis. Then the keeper must ask the node about the room before
// the node is cut off. So nodeIsCutOff first waits long enough for that question.
func (m *model) nodeIsCutOff() {
	time.Sleep(65 * time.Second)
	home := m.home()
	home.Partition()
	time.Sleep(m.upTo(20 * time.Second))
	home.Heal()
	time.Sleep(grace.Outage)
}

// nodeIsCutOffAltogether cuts the participant's node off from everything. The clients
// of this node go to another node. When the first node is back, it ends their old
// sessions. LiveKit then wrongly deletes the records of their new sessions.
func (m *model) nodeIsCutOffAltogether() {
	home := m.home()
	home.Partition()
	m.comeBack()
	time.Sleep(m.upTo(20 * time.Second))
	home.Heal()
	m.hint(home.Leave(key.Room, key.Identity, livekit.DisconnectReason_CONNECTION_TIMEOUT))
}

// redisEmptied removes all records from LiveKit's Redis. All participants stay
// connected.
func (m *model) redisEmptied() {
	m.fake.Flush()
	time.Sleep(m.upTo(5 * time.Second))
	if m.random.IntN(2) == 0 {
		m.fake.Change(key.Room, key.Identity)
	}
}

// redisFromAFile replaces the records in LiveKit's Redis by old ones.
func (m *model) redisFromAFile() {
	m.fake.Restore(m.dump)
	m.stale = true
	if m.random.IntN(2) == 0 {
		m.save()
	}
}

// redisRestarts cuts all nodes off from LiveKit's Redis for some seconds. When the
// Redis is back, it is empty.
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
