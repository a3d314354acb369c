package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"matrixrtc-auth/sfu"
)

// Participant is in a room of the SFU until it leaves.
type Participant interface {
	// Media is what the SFU told of how media gets there, and how it goes.
	Media() Media
	// Send sends a text to everybody in the room.
	Send(text string) error
	// Received are the texts of others.
	Received() <-chan string
	Leave()
}

// Media is what the SFU tells whoever joins.
type Media struct {
	Candidates []Candidate
	// Username and Password let a STUN request pass for one of this session.
	Username, Password string
	// Servers are the STUN and TURN servers.
	Servers []ICEServer
	// Way is how media goes: "udp", "tcp", or "relay"; "" while it does not.
	Way string
}

// Candidate is an address at which the SFU takes media.
type Candidate struct {
	Network string // "udp" or "tcp"
	Addr    netip.AddrPort
}

func (c Candidate) String() string { return c.Addr.String() + "/" + c.Network }

// ICEServer is one that the SFU names: "turns:turn.example.org:443?transport=tcp".
type ICEServer struct {
	URLs               []string
	Username, Password string
}

// JoinError is a join that failed after the SFU told something.
type JoinError struct {
	Media Media
	Err   error
}

func (e *JoinError) Error() string { return e.Err.Error() }
func (e *JoinError) Unwrap() error { return e.Err }

const (
	joinLimit = 16 * time.Second
	// roundTrip is how long a text may take to the other participant. It is
	// sent again every resend: the other's channel may open a moment later.
	roundTrip = 5 * time.Second
	resend    = 250 * time.Millisecond
	// maxCandidates bounds those that are looked at.
	maxCandidates = 16
)

// joined is what the checks of media share.
type joined struct {
	told  bool // a participant was there, or nearly
	media Media
	tcp   []tcpAnswer
}

// keep has the checks of media judge what the first join was told: they may
// look at it while the user joins.
func (e *exam) keep(j joined) {
	if !e.joined.told {
		j.told = true
		e.joined = j
	}
}

// join has two participants join the probe room, and one send to the other.
func (e *exam) join(ctx context.Context) Finding {
	address := websocketURL(e.look.Config.APIURL)
	var tickets []string
	for _, identity := range []string{"doctor-a", "doctor-b"} {
		tickets = append(tickets, e.room.ticket(sfu.Identity(identity)).Reveal())
	}
	return e.meet(ctx, address, tickets)
}

// meet joins at address once for each ticket, and has the first send to the
// second.
func (e *exam) meet(ctx context.Context, address string, tickets []string) Finding {
	var all []Participant
	for _, ticket := range tickets {
		p, err := e.look.Join(ctx, address, ticket)
		if err != nil {
			return e.joinFailure(ctx, address, err)
		}
		defer p.Leave()
		all = append(all, p)
	}
	v := vars{"sfu": address}
	err := deliver(ctx, all[0], all[1])
	media := all[0].Media() // now: the way to send comes about with the first text
	e.keep(joined{media: media, tcp: e.look.askAllTCP(ctx, media)})
	if err != nil {
		return found("media-no-data", v, "joined at %s by %s, but %v", address, media.Way, err)
	}
	switch media.Way {
	case "udp":
		return ok("joined at %s, data went through over UDP", address)
	case "":
		return found("media-no-data", v, "joined at %s", address)
	}
	return found("media-not-udp", v, "joined at %s, media goes over %s", address, media.Way)
}

// joinFailure tells a room that nobody lets us into from media that does not
// arrive.
func (e *exam) joinFailure(ctx context.Context, address string, err error) Finding {
	v := vars{"sfu": address}
	seen := fmt.Sprintf("joining at %s: %s", address, reason(err))
	failed, told := errors.AsType[*JoinError](err)
	if !told || failed.Media.Username == "" {
		return found("join-refused", v, "%s", seen)
	}
	e.keep(joined{media: failed.Media})
	switch list := failed.Media.Candidates; {
	case len(list) == 0:
		return found("candidates-none", v, "%s; LiveKit named no address for media", seen)
	case onlyBridges(list):
		return found("candidates-docker", v, "%s; LiveKit takes media at %s", seen, listed(list))
	case !hasPublic(list) && e.isForAll(ctx):
		return found("candidates-private", v, "%s; LiveKit takes media at %s", seen, listed(list))
	case onlyPublic(list) && !e.o.Outside:
		return found("media-hairpin", v, "%s; LiveKit takes media at %s", seen, listed(list))
	}
	return found("media-closed", v, "%s; LiveKit takes media at %s", seen, listed(failed.Media.Candidates))
}

// deliver has a text arrive.
func deliver(ctx context.Context, from, to Participant) error {
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	again := time.NewTicker(resend)
	defer again.Stop()
	text := probeName()
	for {
		if err := from.Send(text); err != nil {
			return err
		}
		select {
		case got := <-to.Received():
			if got == text {
				return nil
			}
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("no data arrived within %s", roundTrip)
		}
	}
}

// media adds the checks of what the SFU tells whoever joins.
func (e *exam) media(joined *Check) {
	needs := []*Check{joined}
	e.add(&Check{ID: "sfu.candidates", Needs: needs, Run: e.candidates})
	e.add(&Check{ID: "sfu.ice_tcp", Needs: needs, Run: e.iceTCP})
	e.add(&Check{ID: "sfu.turn", Needs: needs, Limit: joinLimit, Run: e.turn})
}

// candidates judges the addresses at which the SFU takes media.
func (e *exam) candidates(ctx context.Context) Finding {
	list := e.joined.media.Candidates
	v := vars{"sfu": e.sfuAt}
	switch {
	case len(list) == 0:
		return found("candidates-none", v, "LiveKit named no address for media")
	case onlyBridges(list) && e.isForAll(ctx):
		return found("candidates-docker", v, "LiveKit takes media at %s", listed(list))
	case !hasPublic(list) && e.isForAll(ctx):
		return found("candidates-private", v, "LiveKit takes media at %s", listed(list))
	case hasPublic(list) && hasBridge(list):
		return found("candidates-bridge-too", v, "LiveKit takes media at %s", listed(list))
	case onlyPublic(list):
		return ok("LiveKit takes media at %s; clients in its own network need a router that leads that back inside", listed(list))
	}
	return ok("LiveKit takes media at %s", listed(list))
}

// isForAll reports whether clients from the internet are meant to come: the
// SFU's name leads to a public address.
func (e *exam) isForAll(ctx context.Context) bool {
	u := e.sfuURL()
	if u == nil {
		return false
	}
	addrs, err := e.look.addresses(ctx, u.Hostname(), portOf(u.Port(), u.Scheme))
	for _, addr := range addrs {
		if err == nil && isPublic(addr) {
			return true
		}
	}
	return false
}

// bridges are the networks from which Docker takes those of containers.
var bridges = netip.MustParsePrefix("172.16.0.0/12")

func isBridge(c Candidate) bool { return bridges.Contains(c.Addr.Addr()) }

func hasBridge(list []Candidate) bool { return count(list, isBridge) > 0 }

func onlyBridges(list []Candidate) bool { return count(list, isBridge) == len(list) }

func hasPublic(list []Candidate) bool { return count(list, isPublicCandidate) > 0 }

func onlyPublic(list []Candidate) bool { return count(list, isPublicCandidate) == len(list) }

func isPublicCandidate(c Candidate) bool { return isPublic(c.Addr.Addr()) }

func count(list []Candidate, is func(Candidate) bool) (n int) {
	for _, c := range list {
		if is(c) {
			n++
		}
	}
	return n
}

func listed[T fmt.Stringer](list []T) string {
	var texts []string
	for _, c := range list[:min(len(list), maxCandidates)] {
		texts = append(texts, c.String())
	}
	return strings.Join(texts, ", ")
}

// hostPort splits the rest of an ICE server's URL, "turn.example.org:443?transport=tcp".
func hostPort(rest, port string) (host, p string) {
	rest, _, _ = strings.Cut(rest, "?")
	if h, given, err := net.SplitHostPort(rest); err == nil {
		return h, given
	}
	return rest, port
}
