package doctor

import (
	"context"
	"net"
	"net/url"
	"slices"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
)

// exam is one run of doctor, with the values that its checks share.
type exam struct {
	look *Look
	o    Options

	servers []*homeserver
	at      *url.URL // the URL at which clients reach this service; nil until it is known
	sfuAt   string   // the URL at which clients reach LiveKit; "" until it is known
	room    *probeRoom
	way     [2]ticket // what the two endpoints for tokens answered to the user
	told    told
	livekit livekitConfig
	status  serviceStatus
}

// Examine runs the checks and returns the report, in less than 30 s. It calls
// progress each time a check has ended.
func Examine(ctx context.Context, look *Look, o Options, progress engine.Progress) engine.Report {
	e := newExam(look, o)
	defer e.room.remove()
	checks := engine.Select(e.plan().Checks(), o.selects, func(id string) bool { return skipped(o, id) })
	engine.Run(ctx, look.Limit, checks, progress)
	r := engine.NewReport(look.Version, e.vantage(), causes.Groups, checks, e.fill)
	e.redactAll(&r)
	return r
}

func newExam(look *Look, o Options) *exam {
	e := &exam{look: look, o: o, at: o.PublicURL, sfuAt: o.SFUURL}
	e.room = newProbeRoom(e)
	for _, name := range o.Servers {
		e.servers = append(e.servers, &homeserver{exam: e, name: name})
	}
	return e
}

// plan returns all checks of this run, in the order of the report.
func (e *exam) plan() engine.Plan {
	s := service{e}
	var steps []engine.Step
	if !e.o.Outside {
		steps = slices.Concat(settings{e}.steps(), livekitFile{e}.steps())
	}
	for _, h := range e.servers {
		steps = append(steps, e.of(h, h.steps())...)
	}
	steps = append(steps, s.publicSteps()...)
	if !e.o.Outside {
		steps = append(steps, s.runningSteps()...)
		for _, h := range e.servers {
			steps = append(steps, e.of(h, []engine.Step{
				// The service's status lists only homeservers that the service has asked. The
				// checks user.sfu_get and user.get_token make the service ask. So they must end
				// first.
				{ID: "service.destination", Needs: "service.status homeserver.userinfo", After: "user.sfu_get user.get_token", Run: h.destination},
			})...)
		}
	}
	steps = append(steps, livekit{e}.steps()...)
	steps = append(steps, engine.Step{ID: "webhook.round_trip", Needs: "service.status sfu.room", Limit: webhookLimit, Unless: e.o.Outside, Run: s.roundTrip})
	if h := e.serverOfUser(); h != nil {
		steps = append(steps, (&user{exam: e, h: h}).steps()...)
	}
	return engine.Plan{Steps: steps, Explained: explained(), Applies: e.applies, Twins: twins, Told: map[string][]string{"dns-broken": causes.Of("dns-broken").Checks}}
}

// of returns the steps for the homeserver h. If several homeservers are
// checked, of writes h's name into the field Server of each step.
func (e *exam) of(h *homeserver, steps []engine.Step) []engine.Step {
	for i := range steps {
		if len(e.servers) > 1 {
			steps[i].Server = h.name.String()
		}
	}
	return steps
}

// unless returns "" if its first argument is true, and ids otherwise.
func unless(holds bool, ids string) string {
	if holds {
		return ""
	}
	return ids
}

// fill replaces the placeholders of a text by the values in v, and by the key
// and the ports of this deployment if they are known.
func (e *exam) fill(text string, v engine.Vars) string {
	known := e.livekit.ports()
	if keys := e.look.Config.Keys; len(keys) > 0 {
		known["key"] = keys[0].ID
	}
	if _, port, err := net.SplitHostPort(e.look.Config.Listen.Address); err == nil {
		known["listen"] = port
	}
	return causes.Fill(text, v.Or(known))
}

func (e *exam) vantage() string {
	if e.o.Outside {
		return "outside"
	}
	return "inside"
}

func skipped(o Options, id string) bool {
	o.Only = nil
	return !o.selects(id)
}
