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

// come has the client join, as soon as it can: by a token, for which the service
// creates the room. LiveKit admits nobody to a room that is not on record, and
// writes no record of one that a node still runs, for minutes: that node gives it
// up here.
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

// comeBack is what a client does that was thrown out: it is back within 8 s, or
// some seconds later where its node has just died.
func (m *model) comeBack() {
	time.Sleep(m.upTo(8 * time.Second))
	m.come()
	m.hint(m.joined)
}

// reconnect: the connection breaks and is back within a second.
func (m *model) reconnect() {
	m.hint(m.fake.Leave(key.Room, key.Identity, livekit.DisconnectReason_SIGNAL_CLOSE))
	time.Sleep(m.upTo(900 * time.Millisecond))
	m.come()
	m.hint(m.joined)
}

// takeOver: another session of the same identity replaces the first.
func (m *model) takeOver() {
	if len(m.fake.Rooms()) == 0 {
		return // LiveKit admits nobody to a room that is not on record
	}
	old, home := m.joined.Participant.Sid, m.home()
	m.come()
	if home.Session(key.Room, key.Identity) == old { // the new one is on another node
		home.Leave(key.Room, key.Identity, livekit.DisconnectReason_SIGNAL_CLOSE)
	}
	m.hint(departed(old))
	m.hint(m.joined)
}

// departed is what LiveKit reports of a session that another has replaced.
func departed(session string) *livekit.WebhookEvent {
	return &livekit.WebhookEvent{
		Event: "participant_left", Room: &livekit.Room{Name: string(key.Room)},
		Participant: &livekit.ParticipantInfo{Sid: session, Identity: string(key.Identity), DisconnectReason: livekit.DisconnectReason_DUPLICATE_IDENTITY},
	}
}

// restartAll ends all nodes, which are back at once. Without Redis they have
// forgotten everything.
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
	time.Sleep(2 * time.Second) // until the nodes are known again
}

// sfuRestarts: it is back before anybody has asked, and its clients soon after.
func (m *model) sfuRestarts() {
	m.restartAll()
	m.hangUp()
	m.comeBack()
}

// sfuAway: everybody is thrown out and comes back within 8 s of its return.
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

// proxyAnswers: the SFU is away, and a proxy that holds its connections answers
// for it; perhaps clients delegate meanwhile. Nobody may have seen it, and then
// the look that finds the member missing has only one more after it: who comes
// back in between stays for longer than settled.
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
		m.fatalf("after an outage that cannot have passed unseen the room is not there")
	}
	m.come()
	m.hint(m.joined)
	time.Sleep(grace.Outage)
}

// noRoomCanBeCreated: the SFU restarts, and for some time neither creates rooms
// nor, perhaps, tells of them.
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

// home is the node of the call.
func (m *model) home() *sfutest.Node {
	for _, id := range []string{"a", "b"} {
		if m.fake.Node(id).Session(key.Room, key.Identity) != "" {
			return m.fake.Node(id)
		}
	}
	m.fatalf("the member is on no node")
	return nil
}

// kill kills the node of the call. Perhaps our connection was to that one.
func (m *model) kill() *sfutest.Node {
	home := m.home()
	home.Kill()
	if m.random.IntN(2) == 0 {
		m.hangUp()
	}
	return home
}

// nodeDies: its clients come back to another, and it starts again much later.
func (m *model) nodeDies() {
	home := m.kill()
	m.comeBack()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeRestarts: it dies and is back at once, under its id.
func (m *model) nodeRestarts() {
	m.kill().Start()
	m.comeBack()
}

// nodeDrains: nobody is thrown out.
func (m *model) nodeDrains() {
	home := m.home()
	home.Drain()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeStops: it says good-bye for its clients, who come back to another.
func (m *model) nodeStops() {
	home := m.home()
	for _, report := range home.Stop() {
		m.hint(report)
	}
	m.comeBack()
	time.Sleep(m.upTo(time.Minute))
	home.Start()
}

// nodeIsCutOff for 20 s from LiveKit's Redis: its clients notice nothing. If
// that has just lost their records, nothing is left to tell them from those who
// have gone, until a look into the room has found them.
func (m *model) nodeIsCutOff() {
	time.Sleep(65 * time.Second)
	home := m.home()
	home.Partition()
	time.Sleep(m.upTo(20 * time.Second))
	home.Heal()
	time.Sleep(grace.Outage)
}

// nodeIsCutOffAltogether: its clients go to another, and when it is back it ends
// their old sessions, and takes the records of the new ones with them.
func (m *model) nodeIsCutOffAltogether() {
	home := m.home()
	home.Partition()
	m.comeBack()
	time.Sleep(m.upTo(20 * time.Second))
	home.Heal()
	m.hint(home.Leave(key.Room, key.Identity, livekit.DisconnectReason_CONNECTION_TIMEOUT))
}

// redisEmptied: LiveKit's Redis has no records; everybody is there.
func (m *model) redisEmptied() {
	m.fake.Flush()
	time.Sleep(m.upTo(5 * time.Second))
	if m.random.IntN(2) == 0 {
		m.fake.Change(key.Room, key.Identity)
	}
}

// redisFromAFile: it has old records.
func (m *model) redisFromAFile() {
	m.fake.Restore(m.dump)
	m.stale = true
	if m.random.IntN(2) == 0 {
		m.save()
	}
}

// redisRestarts: for some seconds no node has a Redis, and then it is empty.
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
