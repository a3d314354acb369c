package engine

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Plan is the checks of one run as data.
type Plan struct {
	// Steps are in the order of the report.
	Steps []Step
	// Explained maps the id of a step to the findings of other checks that explain
	// its finding. If several explain it, the first one in the list reports it.
	Explained map[string][]Explanation
	// Applies reports whether an explanation is possible for a step of this run.
	// nil means that every explanation is possible.
	Applies func(x Explanation, s Step) bool
	// Twins maps the id of a step to the other steps that may look at the same
	// place.
	Twins map[string][]string
	// Told maps a cause that several steps may find to these steps, in the order
	// in which one of them is chosen to report it.
	Told map[string][]string
}

// Step is a check that refers to other steps by their ids, separated by spaces.
// An id in a step of a server means the step of the same server. The step's own
// id means the steps with that id of the servers before. Ids that the plan does
// not contain have no effect.
type Step struct {
	ID     string
	Server string // the server under test, if there are several; else ""
	Of     string // the server whose steps this step refers to, if that is not Server

	Needs, Any, After string // ids of other steps; see the fields of Check
	Limit, Grace      time.Duration
	Unless            bool // leave the step out
	Run               func(ctx context.Context) Finding
}

// Explanation says that each of Causes, found by the check By, explains each of
// Shows in another check. If both are empty, both checks may find the same
// fault.
type Explanation struct {
	By, Causes, Shows string
	Here              bool // only for findings about the same place
}

// Checks returns the checks of the plan, in its order.
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

// named returns the checks that step i refers to by ids.
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

// excuses returns what may explain the finding of step i.
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

// tellOnce lets only one check report each cause in Told: the first of the
// listed checks that found it.
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

// Select returns the wanted checks and the checks that they need. A skipped
// check that others need stays in the list, and its finding says that it was
// skipped.
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
