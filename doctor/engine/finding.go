package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Status is how a check ended.
type Status string

// The states. Warn is what may be right all the same, or cannot be judged from
// here; NA is what was not looked at.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	NA   Status = "na"
)

// Finding is what a check saw.
type Finding struct {
	Status Status
	Seen   string // and from where
	Cause  *Cause // why it is not OK; nil for OK and NA
	Vars   Vars   // what stands for the cause's placeholders
	// Blocks has those that need the check not start, although it did not fail.
	Blocks bool
	// At are the places of which it is true: a name or an address with its port,
	// an address, a certificate. Who finds the same at one of them has found the
	// same fault.
	At []string
}

// Right is the finding that all is as it should be.
func Right(format string, args ...any) Finding {
	return Finding{Status: OK, Seen: fmt.Sprintf(format, args...)}
}

// NotLooked is the finding of what does not apply, or was not asked for.
func NotLooked(format string, args ...any) Finding {
	return Finding{Status: NA, Seen: fmt.Sprintf(format, args...)}
}

// Because is a fault or a doubt: its status is the cause's.
func Because(c *Cause, v Vars, format string, args ...any) Finding {
	return Finding{Status: c.Status, Seen: fmt.Sprintf(format, args...), Cause: c, Vars: v, Blocks: c.Blocks}
}

// severity orders faults, doubts and the rest.
func (f Finding) severity() int { return map[Status]int{Fail: 2, Warn: 1}[f.Status] }

// In is f as true of these places, too.
func (f Finding) In(places ...string) Finding {
	f.At = slices.Concat(f.At, places)
	return f
}

// meets reports whether two findings are true of one place.
func (f Finding) meets(other Finding) bool {
	return slices.ContainsFunc(f.At, func(place string) bool { return slices.Contains(other.At, place) })
}

// sameKind reports whether two findings name one cause, or one in the words of
// what either looks at.
func (f Finding) sameKind(other Finding) bool {
	return f.Cause != nil && other.Cause != nil && f.Cause.kind() == other.Cause.kind()
}

// sameCause reports whether two findings name one cause.
func (f Finding) sameCause(other Finding) bool {
	return f.Cause != nil && other.Cause != nil && f.Cause.ID == other.Cause.ID
}

// Cause is one thing that can be wrong. Its texts have placeholders for what
// was found, {server} for example: see [Vars].
type Cause struct {
	ID string
	// Kind is what it and others are, each in the words of its place; "" for a
	// cause that stands alone.
	Kind string
	// Rows are the lines of doctor/testdata/failures.txt that it explains.
	Rows []int
	// Checks may name it: ids of checks.
	Checks []string
	// From is where it shows: "inside", "outside" or "both".
	From string
	// Status is Fail, or Warn where it may be meant so or cannot be judged; OK is
	// for a note on what people take for a cause, which no check finds.
	Status Status
	// Blocks has the checks that need the one that found it wait, for a Warn.
	Blocks bool
	// Spares has them go on all the same, for a Fail: part of what they ask answers.
	Spares bool
	// Code is what Element Call shows for it, "" for nothing of its own.
	Code string
	// Text says what is wrong, Remedy what to set.
	Text, Remedy string
	// Unbroken says why no test breaks it; "" means that one does.
	Unbroken string
}

// kind is what a cause is one of.
func (c *Cause) kind() string { return cmp.Or(c.Kind, c.ID) }

// Unfinished is the cause that the engine itself finds: a check, {check}, did
// not end in its time.
var Unfinished = Cause{ID: "unfinished", Checks: []string{"homeserver.discovery"}, From: "both", Status: Warn, Blocks: true, Unbroken: "the tests of the engine break it, in virtual time",
	Text:   "the check {check} did not end in its time",
	Remedy: "run doctor again with --only {check}; if that ends no better, something on the way drops packets without an answer"}

func unfinished(id, format string, args ...any) Finding {
	return Because(&Unfinished, Vars{"check": id}, format, args...)
}

// Vars replace the placeholders of a cause's texts: {server}, {url} and so on.
type Vars map[string]string

// Or adds those of others that v lacks.
func (v Vars) Or(others Vars) Vars {
	all := maps.Clone(others)
	if all == nil {
		all = Vars{}
	}
	maps.Copy(all, v)
	return all
}
