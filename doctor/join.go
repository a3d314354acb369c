package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/sfu"
)

const joinLimit = 16 * time.Second

// media has the checks of how audio and video travel.
type media struct{ *exam }

// told is what LiveKit told a participant that joined. It has a lock, because a
// check whose time is over can still write to it in the background.
type told struct {
	mu    sync.Mutex
	there bool // whether LiveKit accepted a participant
	media instruments.Media
	tcp   []instruments.TCPAnswer
}

// keep stores what LiveKit told the first participant that joined. Later calls
// change nothing, because other checks may read the stored values while doctor
// makes further participants join.
func (t *told) keep(m instruments.Media, tcp []instruments.TCPAnswer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.there {
		t.there, t.media, t.tcp = true, m, tcp
	}
}

// get returns the values that keep has stored.
func (t *told) get() (instruments.Media, []instruments.TCPAnswer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.media, t.tcp
}

// join makes two participants join the room that doctor created. One of them
// then sends a text to the other.
func (e media) join(ctx context.Context) engine.Finding {
	address := websocketURL(e.look.Config.APIURL)
	var tickets []string
	for _, identity := range []string{"doctor-a", "doctor-b"} {
		tickets = append(tickets, e.room.ticket(sfu.Identity(identity)).Reveal())
	}
	return e.meet(ctx, address, tickets)
}

// meet joins the room at address with each ticket (an access token). Then the
// first participant sends a text to the second.
func (e media) meet(ctx context.Context, address string, tickets []string) engine.Finding {
	var all []instruments.Participant
	for _, ticket := range tickets {
		p, err := e.look.Join(ctx, address, ticket)
		if err != nil {
			return e.joinFailure(ctx, address, err)
		}
		defer p.Leave()
		all = append(all, p)
	}
	v := engine.Vars{"sfu": address}
	err := instruments.Deliver(ctx, all[0], all[1])
	m := all[0].Media() // doctor asks only now how media travels, because the sending connection opens only with the first text
	e.told.keep(m, e.look.AskAllTCP(ctx, m))
	switch {
	case err != nil && m.Way == "": // the first participant has no connection for media, so the fault is there, and not at the second participant
		return e.joinFailure(ctx, address, &instruments.JoinError{Media: m, Err: err})
	case err != nil:
		return found("media-no-data", v, "joined at %s by %s, but %v", address, m.Way, err)
	}
	switch m.Way {
	case "udp":
		return ok("joined at %s, data went through over UDP", address)
	case "":
		return found("media-no-data", v, "joined at %s", address)
	}
	return found("media-not-udp", v, "joined at %s, media goes over %s", address, m.Way)
}

// joinFailure returns the finding of a join that failed: LiveKit refused it,
// or its media did not arrive.
func (e media) joinFailure(ctx context.Context, address string, err error) engine.Finding {
	v := engine.Vars{"sfu": address}
	seen := fmt.Sprintf("joining at %s: %s", address, reason(err))
	if e.room.limit == 1 && address == websocketURL(e.look.Config.APIURL) {
		return found("room-full", v, "%s; the room takes %d participant", seen, e.room.limit)
	}
	failed, told := errors.AsType[*instruments.JoinError](err)
	if !told || failed.Media.Username == "" {
		return found("join-refused", v, "%s", seen)
	}
	e.told.keep(failed.Media, nil)
	switch list := failed.Media.Candidates; {
	case len(list) == 0:
		return found("candidates-none", v, "%s; LiveKit named no address for media", seen)
	case onlyBridges(list):
		return found("candidates-docker", v, "%s; LiveKit takes media at %s", seen, listed(list))
	case !hasPublic(list) && len(e.publicSFUs(ctx)) > 0:
		return found("candidates-private", v, "%s; LiveKit takes media at %s", seen, listed(list))
	case !slices.ContainsFunc(list, func(c instruments.Candidate) bool { return c.Network == "udp" }):
		return found("media-udp-off", v, "%s; LiveKit takes media at %s", seen, listed(list))
	case onlyPublic(list) && !e.o.Outside:
		return found("media-hairpin", v, "%s; LiveKit takes media at %s", seen, listed(list))
	}
	return found("media-closed", v, "%s; LiveKit takes media at %s", seen, listed(failed.Media.Candidates))
}

func listed[T fmt.Stringer](list []T) string {
	var texts []string
	for _, c := range list[:min(len(list), instruments.MaxCandidates)] {
		texts = append(texts, c.String())
	}
	return strings.Join(texts, ", ")
}
