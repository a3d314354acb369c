package appservice

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// quickly makes Synapse hash passwords in a few milliseconds, not in a second.
const quickly = "bcrypt_rounds: 4"

// member is a user who is or was in a call.
type member struct {
	*account.Account
	t       *testing.T
	side    *side  // the homeserver, service and SFU of the call
	room    string // the id of the Matrix room
	token   string // the access token for the SFU
	session *participant.Participant
}

// enter makes a user join the call of a room. The user gets the token through their
// homeserver. The user leaves the call when the test ends.
func (s *side) enter(t *testing.T, a *account.Account, room string) *member {
	t.Helper()
	more := map[string]any{"member_id": "member-of-" + a.UserID}
	if a.BaseURL != s.URL() {
		more["server_name"] = s.name.String()
	}
	var token string
	// A homeserver that has just joined a room does not know all members of the room
	// yet.
	eventually(t, time.Minute, a.UserID+" gets a token", func() bool {
		answer, _ := post(t, a, stable+"/get_token", s.call(room, more))
		token = answer.JWT
		return answer.Status == http.StatusOK
	})
	return s.enterWith(t, a, room, token)
}

// enterByOpenID makes a user join the call of a room with an OpenID token, as older
// clients do.
func (s *side) enterByOpenID(t *testing.T, a *account.Account, room string) *member {
	t.Helper()
	answer := s.openID(t, a, room)
	wants(t, a.UserID+"'s token", answer, http.StatusOK, "")
	return s.enterWith(t, a, room, answer.JWT)
}

func (s *side) enterWith(t *testing.T, a *account.Account, room, token string) *member {
	t.Helper()
	return &member{a, t, s, room, token, join(t, s, token)}
}

// This method makes the member join the call a second time with the same token. The
// identity of the second session has a suffix, so LiveKit accepts the session.
func (m *member) beside(suffix string) *participant.Participant {
	m.t.Helper()
	target, err := url.Parse(m.side.sfu.APIURL())
	must(m.t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		query := p.Out.URL.Query()
		query.Set("publish", suffix)
		p.Out.URL.RawQuery = query.Encode()
	}})
	m.t.Cleanup(proxy.Close)
	second, err := participant.Join(within(m.t, time.Minute), "ws"+strings.TrimPrefix(proxy.URL, "http"), m.token)
	must(m.t, err)
	m.t.Cleanup(second.Leave)
	if want := m.session.Identity() + "#" + suffix; second.Identity() != want {
		m.t.Fatalf("the second session is %q, want %q", second.Identity(), want)
	}
	return second
}

// isOut waits until the SFU has ended the session, and returns the time of its end.
func isOut(t *testing.T, p *participant.Participant, limit time.Duration) time.Time {
	t.Helper()
	select {
	case <-p.Left():
		return time.Now()
	case <-time.After(limit):
		t.Fatalf("%s: got it on the SFU after %v, want it removed", p.Identity(), limit)
		panic("unreachable")
	}
}

// areIn checks that no session of the members has ended.
func areIn(t *testing.T, what string, members ...*member) {
	t.Helper()
	there := map[string]bool{}
	for _, m := range members {
		if there[m.room] {
			continue
		}
		there[m.room] = true
		for _, p := range m.side.participants(t, m.session.Room()) {
			there[p.GetSid()] = true
		}
	}
	for _, m := range members {
		select {
		case <-m.session.Left():
			t.Errorf("%s: got %s removed from the SFU, want the session kept", what, m.UserID)
		default:
			if !there[m.session.SID()] {
				t.Errorf("%s: got no session of %s on the SFU, want it", what, m.UserID)
			}
		}
	}
}

// participants returns the participants of a LiveKit room.
func (s *side) participants(t *testing.T, room string) []*livekit.ParticipantInfo {
	t.Helper()
	client := lksdk.NewRoomServiceClient(s.sfu.APIURL(), sfuKey.ID, sfuKey.Secret)
	answer, err := client.ListParticipants(within(t, time.Minute), &livekit.ListParticipantsRequest{Room: room})
	must(t, err)
	return answer.GetParticipants()
}

// act makes one user invite, kick, ban or unban another user in a room.
func act(t *testing.T, by *account.Account, room, action string, to *account.Account) {
	t.Helper()
	must(t, by.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/"+action,
		map[string]string{"user_id": to.UserID}, nil))
}

// leavesRoom makes a user leave a room.
func leavesRoom(t *testing.T, a *account.Account, room string) {
	t.Helper()
	must(t, a.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/leave", struct{}{}, nil))
}

// membershipOf returns the event of the user's membership in a room. It asks the
// homeserver with the account of another member.
func membershipOf(t *testing.T, who *account.Account, room, user string) account.Event {
	t.Helper()
	events, err := who.State(within(t, time.Minute), room)
	must(t, err)
	for _, e := range events {
		if e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == user {
			return e
		}
	}
	t.Fatalf("state of %s: got no membership of %s, want one", room, user)
	panic("unreachable")
}

// removal is what a service's log says about one removal of a participant from the SFU.
type removal struct {
	at           string // the time of the log line
	identity, by string
	stayed       time.Duration // how long the user was on the SFU
}

var (
	removalLine = regexp.MustCompile(`(?m)^.*msg="membership: a participant was removed from the SFU.*$`)
	fieldOfLine = regexp.MustCompile(`(\w+)=("[^"]*"|\S+)`)
)

// removals returns the removals of a user's sessions that the services have logged. It
// keeps the order of the services, and for each service the order of the log.
func removals(t *testing.T, user string, services ...*stack.Service) (all []removal) {
	t.Helper()
	for _, service := range services {
		for _, line := range removalLine.FindAllString(service.Log().String(), -1) {
			fields := map[string]string{}
			for _, field := range fieldOfLine.FindAllStringSubmatch(line, -1) {
				fields[field[1]] = strings.Trim(field[2], `"`)
			}
			if fields["user"] != user {
				continue
			}
			stayed, err := time.ParseDuration(fields["stayed"])
			must(t, err)
			all = append(all, removal{fields["time"], fields["identity"], fields["by"], stayed})
		}
	}
	return all
}

// status contains the parts of the answer of /_status that these tests read.
type status struct {
	Membership struct {
		Persons   int
		Asked     uint64
		Unknown   uint64
		Braked    bool
		Removed   map[string]uint64
		LastSweep time.Time `json:"last_sweep"`
	}
	Leaves struct{ Jobs map[string]int } // the number of jobs by state
}

// leaves returns the number of delegated leaves that the service has.
func (s status) leaves() (n int) {
	for _, jobs := range s.Leaves.Jobs {
		n += jobs
	}
	return n
}

func statusOf(t *testing.T, service *stack.Service) (s status) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodGet, service.URL()+"/_status", nil)
	must(t, err)
	key := sfu.Key{ID: sfuKey.ID, Secret: secret.New(sfuKey.Secret)}
	req.Header.Set("Authorization", "Bearer "+sfutest.StatusToken(key, "matrixrtc-auth-status", time.Minute))
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	must(t, json.NewDecoder(resp.Body).Decode(&s))
	return s
}

// sweeps waits until the service has ended n further sweeps. Only sweeps that begin
// after the call count.
func sweeps(t *testing.T, service *stack.Service, n int) {
	t.Helper()
	last := time.Now()
	for range n {
		eventually(t, time.Minute, "the service sweeps", func() bool {
			began := statusOf(t, service).Membership.LastSweep
			if !began.After(last) {
				return false
			}
			last = began
			return true
		})
	}
}
