package doctor

import (
	"context"
	"net"
	"net/url"
	"slices"

	"matrixrtc-auth/matrix"
)

// exam is one run: the checks and what they share.
type exam struct {
	look   *Look
	o      Options
	checks []*Check

	servers []*server
	service *url.URL // where clients reach this service; nil until it is known
	sfuAt   string   // where they reach LiveKit; "" until it is known
	room    *probeRoom
	way     [2]ticket // what the service hands a user out, by either endpoint
	joined  joined
	livekit livekitConfig
	status  serviceStatus
}

// server is what is known of one homeserver.
type server struct {
	name     matrix.ServerName
	document *clientWellKnown // .well-known/matrix/client
	destiny  matrix.Destination
	base     string // of the Client-Server API, without a slash at its end
	versions versions
}

// Examine looks at the deployment and returns what it saw. progress hears of
// every check that ends. It takes less than 30 s.
func Examine(ctx context.Context, look *Look, o Options, progress func(c *Check, left int)) Report {
	e := newExam(look, o)
	defer e.room.remove()
	run(ctx, e.checks, progress)
	e.nameSettings()
	r := report(look.Version, e.vantage(), e.checks)
	e.redactAll(&r)
	return r
}

func newExam(look *Look, o Options) *exam {
	e := &exam{look: look, o: o, sfuAt: o.SFUURL, room: newProbeRoom(look, o)}
	e.configuration()
	e.livekitFile()
	var foci []*Check
	for _, name := range o.Servers {
		s := &server{name: name}
		e.servers = append(e.servers, s)
		c := e.homeserver(s)
		c.After = foci // the first one that knows says which service is looked at
		foci = append(slices.Clone(foci), c)
	}
	healthz := e.public(foci)
	status := e.running(healthz)
	tickets := e.user(healthz)
	e.destinations(status, tickets)
	room, joined := e.sfu(status, tickets)
	e.webhook(status, room)
	e.userJoins(tickets, joined)
	slices.SortStableFunc(e.checks, func(a, b *Check) int { return order(a) - order(b) })
	e.relate()
	e.checks = e.wanted()
	return e
}

// nameSettings has remedies name the key and the ports of this deployment, as
// far as they are known.
func (e *exam) nameSettings() {
	known := e.livekit.ports()
	if keys := e.look.Config.Keys; len(keys) > 0 {
		known["key"] = keys[0].ID
	}
	if _, port, err := net.SplitHostPort(e.look.Config.Listen.Address); err == nil {
		known["listen"] = port
	}
	for _, c := range e.checks {
		c.ended.Vars = c.ended.Vars.or(known)
	}
}

// order is the place of a check's group in the report.
func order(c *Check) int { return slices.Index(groups, group(c.ID)) }

func (e *exam) vantage() string {
	if e.o.Outside {
		return "outside"
	}
	return "inside"
}

// add has c looked at.
func (e *exam) add(c *Check) *Check {
	c.Needs = slices.DeleteFunc(c.Needs, func(need *Check) bool { return need == nil })
	e.checks = append(e.checks, c)
	return c
}

// addTo has c looked at for s.
func (e *exam) addTo(s *server, c *Check) *Check {
	if len(e.o.Servers) > 1 {
		c.Server = s.name.String()
	}
	return e.add(c)
}

// wanted are the checks that were asked for and those that they need. One that
// is skipped stays if others need it, and says so.
func (e *exam) wanted() []*Check {
	keep := map[*Check]bool{}
	var need func(c *Check)
	need = func(c *Check) {
		keep[c] = true
		for _, n := range slices.Concat(c.Needs, c.Any) {
			need(n)
		}
	}
	for _, c := range e.checks {
		if e.o.selects(c.ID) {
			need(c)
		}
	}
	for _, c := range e.checks {
		for _, list := range []*[]*Check{&c.After, &c.Twins} {
			*list = slices.DeleteFunc(*list, func(other *Check) bool { return !keep[other] })
		}
		c.Excuses = slices.DeleteFunc(c.Excuses, func(x Excuse) bool { return !keep[x.By] })
		if keep[c] && skipped(e.o, c.ID) {
			c.Run = func(context.Context) Finding { return na("skipped") }
		}
	}
	return slices.DeleteFunc(e.checks, func(c *Check) bool { return !keep[c] })
}

func skipped(o Options, id string) bool {
	o.Only = nil
	return !o.selects(id)
}
