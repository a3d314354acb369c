package engine

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Plan is the checks of one run as data.
type Plan struct {
	// Steps stand in the order of the report.
	Steps []Step
	// Explained says by the id of a step what others find that shows there, too.
	// Of several that explain the same the first one tells.
	Explained map[string][]Explanation
	// Applies reports whether an explanation can be one for a step of this run;
	// nil means that all can.
	Applies func(x Explanation, s Step) bool
	// Twins says by the id of a step which others may look at the same place.
	Twins map[string][]string
	// Told is in which order steps tell one cause that several of them find.
	Told map[string][]string
}

// Step is a check that names others by their ids, with spaces between. A step of
// a server means those of the same server, and where it names its own id those
// of the servers before. Names of steps that this plan does not have mean
// nothing.
type Step struct {
	ID     string
	Server string // the one that it looks at, where there are several; else ""
	Of     string // the one whose steps it names, where that is not Server

	Needs, Any, After string // see Check
	Limit, Grace      time.Duration
	Unless            bool // it is left out
	Run               func(ctx context.Context) Finding
}

// Explanation says that a check finds what shows in another one: each of the
// causes explains each of those that show there. Without causes both may find
// the same.
type Explanation struct {
	By, Causes, Shows string
	Here              bool // only what is true of the same place
}

// Checks returns the checks of the plan in its order.
func (p Plan) Checks() []*Check {
	p.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return s.Unless })
	checks := make([]*Check, len(p.Steps))
	for i, s := range p.Steps {
		checks[i] = &Check{ID: s.ID, Server: s.Server, Limit: s.Limit, Grace: s.Grace, Run: s.Run}
	}
	for i, s := range p.Steps {
		c := checks[i]
		c.Needs = p.named(checks, i, s.Needs)
		c.Any = p.named(checks, i, s.Any)
		c.After = p.named(checks, i, s.After)
		c.Twins = p.named(checks, i, strings.Join(p.Twins[s.ID], " "))
		c.Excuses = p.excuses(checks, i)
	}
	p.tellOnce(checks)
	return checks
}

// named returns the checks that step i means with these ids.
func (p Plan) named(checks []*Check, i int, ids string) (list []*Check) {
	step := p.Steps[i]
	server := step.Of
	if server == "" {
		server = step.Server
	}
	for id := range strings.FieldsSeq(ids) {
		for j, c := range checks {
			own := id == step.ID
			same := server == "" || c.Server == "" || c.Server == server
			if c.ID == id && (own && j < i || !own && same) {
				list = append(list, c)
			}
		}
	}
	return list
}

// excuses are what others explain of what step i finds.
func (p Plan) excuses(checks []*Check, i int) (list []Excuse) {
	for _, x := range p.Explained[p.Steps[i].ID] {
		if p.Applies != nil && !p.Applies(x, p.Steps[i]) {
			continue
		}
		for _, by := range p.named(checks, i, x.By) {
			list = append(list, Excuse{by, strings.Fields(x.Causes), strings.Fields(x.Shows), x.Here})
		}
	}
	return list
}

// tellOnce has each cause of Told told by the first one that finds it.
func (p Plan) tellOnce(checks []*Check) {
	for cause, ids := range p.Told {
		var before []Excuse
		for _, id := range ids {
			for _, c := range checks {
				if c.ID == id {
					c.Excuses = append(c.Excuses, before...)
					before = append(before, Excuse{By: c, Causes: []string{cause}, Shows: []string{cause}})
				}
			}
		}
	}
}

// Select returns the checks that are wanted and those that they need. One that
// is skipped stays if others need it, and says so.
func Select(checks []*Check, wanted, skipped func(id string) bool) []*Check {
	keep := map[*Check]bool{}
	var need func(c *Check)
	need = func(c *Check) {
		keep[c] = true
		for _, n := range slices.Concat(c.Needs, c.Any) {
			need(n)
		}
	}
	for _, c := range checks {
		if wanted(c.ID) {
			need(c)
		}
	}
	for _, c := range checks {
		for _, list := range []*[]*Check{&c.After, &c.Twins} {
			*list = slices.DeleteFunc(*list, func(other *Check) bool { return !keep[other] })
		}
		c.Excuses = slices.DeleteFunc(c.Excuses, func(x Excuse) bool { return !keep[x.By] })
		if keep[c] && skipped(c.ID) {
			c.Run = func(context.Context) Finding { return NotLooked("skipped") }
		}
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c *Check) bool { return !keep[c] })
}
