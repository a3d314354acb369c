package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// probeRoom is the room that a run creates on the SFU, to test calls in it. Its
// name is also part of the id of the Matrix room for which the run asks this
// service for a token.
type probeRoom struct {
	exam *exam
	name sfu.Room

	codecs []codec // the codecs that the SFU accepts in the room; create sets this field
	limit  int     // the most participants that the SFU lets into the room, 0 for any number; create sets this field

	mu   sync.Mutex
	made []sfu.Room // the rooms to delete at the end of the run
}

const (
	// probeTimeout is how long, in seconds, the SFU keeps the empty room if the
	// run fails to delete it.
	probeTimeout = 30
	removeTime   = 3 * time.Second
)

func newProbeRoom(e *exam) *probeRoom {
	return &probeRoom{exam: e, name: sfu.Room(instruments.ProbeName())}
}

// willMake records that the run must delete room at its end.
func (p *probeRoom) willMake(room sfu.Room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.made, room) {
		p.made = append(p.made, room)
	}
}

// create creates the probe room on the SFU, and reads the SFU's settings for
// the room.
func (p *probeRoom) create(ctx context.Context) engine.Finding {
	p.willMake(p.name) // before the request, because the SFU may create the room although no answer arrives
	body := fmt.Sprintf(`{"name":%q,"empty_timeout":%d,"departure_timeout":%d}`, p.name, probeTimeout, probeTimeout)
	r, err := p.exam.twirp(ctx, p.exam.apiURL(), "CreateRoom", &auth.VideoGrant{RoomCreate: true}, body)
	v := engine.Vars{"sfu": p.exam.apiURL()}
	if err != nil {
		return apiFailure(v, p.exam.apiURL(), err)
	}
	if f := stranger(askedAPI, r, p.exam.apiVars(), "CreateRoom:"); isFault(f) {
		return f
	}
	if strings.Contains(string(r.Body), "could not find any available nodes") {
		return found("sfu-nodes", v, "CreateRoom at %s: %d, could not find any available nodes", p.exam.apiURL(), r.Status)
	}
	var room struct {
		Name   string
		Codecs []codec `json:"enabled_codecs"`
		Limit  int     `json:"max_participants"`
	}
	if r.Status != http.StatusOK || json.Unmarshal(r.Body, &room) != nil || room.Name != string(p.name) {
		return found("sfu-create", v, "CreateRoom at %s: %s", p.exam.apiURL(), http.StatusText(r.Status))
	}
	p.codecs, p.limit = room.Codecs, room.Limit
	return ok("CreateRoom at %s made %s", p.exam.apiURL(), p.name)
}

// remove deletes the rooms that the run created, even if the run was
// interrupted. The SFU itself closes a room that remove cannot delete; it
// closes the probe room after probeTimeout.
func (p *probeRoom) remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	for _, room := range p.made {
		_, _ = p.exam.twirp(ctx, p.exam.apiURL(), "DeleteRoom", &auth.VideoGrant{RoomCreate: true}, fmt.Sprintf(`{"room":%q}`, room))
	}
}

// ticket returns an access token for the probe room.
func (p *probeRoom) ticket(identity sfu.Identity) secret.Text {
	return ticketFor(p.exam.look.Config.Keys[0], token.Grant{Room: p.name, Identity: identity, CanPublish: true})
}

// ticketFor returns an access token for a room, like those of the service.
func ticketFor(key sfu.Key, grant token.Grant) secret.Text {
	return secret.New(token.NewMinter(key, time.Minute).Mint(grant, time.Now()))
}
