package engine

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Plan has the checks of one run, as data.
type Plan struct {
	// Steps are the checks, in the order of the report.
	Steps []Step
	// A finding of one check can explain a finding of another check. Explained has
	// the possible explanations for the findings of each step; the key is the id of
	// the step. If several explanations apply to a finding, the first one in the
	// list counts.
	Explained map[string][]Explanation
	// Applies reports whether x can explain a finding of s in this run. If
	// Applies is nil, every explanation counts.
	Applies func(x Explanation, s Step) bool
	// Twins maps the id of a step to the other steps that may examine the same
	// place and find the same fault. Finding.At says what a place is.
	Twins map[string][]string
	// Told is about causes that several steps may find. It maps the id of such a
	// cause to the ids of the steps. The first step in the list that finds the
	// cause reports it.
	Told map[string][]string
}

// Step is a check that names other steps by their ids, with spaces between the
// ids. An id that is not in the plan has no effect.
//
// If several servers are checked, each server has a step with the same id. In a
// step, such an id means the step for this step's server. If a step names its own
// id, it means the steps with this id for earlier servers.
type Step struct {
	ID     string
	Server string // the name of the server under test if there are several; else ""
	Of     string // if not "", the ids in this step mean steps for the server Of, not for Server

	Needs, Any, After string // ids of other steps, for the fields of Check with these names
	Limit, Grace      time.Duration
	Unless            bool // whether the run leaves the step out
	Run               func(ctx context.Context) Finding
}

// Explanation says which causes of one check explain causes of a different check. By
// is the id of the first check. The field Causes lists causes of the first check, and
// the field Shows lists causes of the other check. Each cause in Causes explains each
// cause in Shows. If both fields are empty, each cause of the first check explains the
// same cause of the other check.
type Explanation struct {
	By, Causes, Shows string
	Here              bool // whether the explanation holds only if both findings are about the same place
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

// named returns the checks whose ids are in the text ids, which has spaces between
// the ids. If step i has a server, named returns only checks of this server and
// checks without a server. But for the id of step i itself, named returns the
// checks with this id that come before step i, for every server.
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

// excuses returns the excuses of step i. They say which findings of other
// checks explain the finding of step i.
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

// tellOnce makes the checks report each cause in p.Told only once. If several
// checks find the cause, only the first of them in the list of p.Told reports it.
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

// Select returns the wanted checks, and the checks that they need. A skipped
// check stays in the list if others need it. Its finding then says that it was
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
