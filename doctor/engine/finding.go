package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Status is the result of a check.
type Status string

// The results. Warn means that something may be intended, or cannot be judged
// from this machine. NA means that it was not checked.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	NA   Status = "na"
)

// Finding is what a check found.
type Finding struct {
	Status Status
	Seen   string // what the check saw, and from where
	Cause  *Cause // why the result is not OK; nil for OK and NA
	Vars   Vars   // the values of the cause's placeholders
	// Blocks prevents the checks that need this check, although it found only a
	// warning.
	Blocks bool
	// At are the places that the finding is about: host:port, an address with its
	// port, an address, or a certificate. Two equal findings about the same place
	// are the same fault.
	At []string
}

// Right returns the finding that everything is as it should be.
func Right(format string, args ...any) Finding {
	return Finding{Status: OK, Seen: fmt.Sprintf(format, args...)}
}

// NotLooked returns the finding of a check that does not apply or that nobody
// asked for.
func NotLooked(format string, args ...any) Finding {
	return Finding{Status: NA, Seen: fmt.Sprintf(format, args...)}
}

// Because returns a finding with the cause c: a fault or a warning, as the
// cause says.
func Because(c *Cause, v Vars, format string, args ...any) Finding {
	return Finding{Status: c.Status, Seen: fmt.Sprintf(format, args...), Cause: c, Vars: v, Blocks: c.Blocks}
}

// severity orders findings: faults, doubts, the rest.
func (f Finding) severity() int { return map[Status]int{Fail: 2, Warn: 1}[f.Status] }

// In returns f with additional places that the finding is about.
func (f Finding) In(places ...string) Finding {
	f.At = slices.Concat(f.At, places)
	return f
}

// meets reports whether two findings share a place.
func (f Finding) meets(other Finding) bool {
	return slices.ContainsFunc(f.At, func(place string) bool { return slices.Contains(other.At, place) })
}

// sameKind reports whether two findings name the same cause, or causes of the
// same Kind.
func (f Finding) sameKind(other Finding) bool {
	return f.Cause != nil && other.Cause != nil && f.Cause.kind() == other.Cause.kind()
}

// sameCause reports whether two findings name the same cause.
func (f Finding) sameCause(other Finding) bool {
	return f.Cause != nil && other.Cause != nil && f.Cause.ID == other.Cause.ID
}

// Cause is one thing that can be wrong. Its texts have placeholders for what
// was found, such as {server}: see [Vars].
type Cause struct {
	ID string
	// Kind is the same for causes that are the same fault at different places. It
	// is "" for a cause without such others.
	Kind string
	// Rows are the lines of doctor/causes/testdata/failures.txt that the cause
	// explains.
	Rows []int
	// Checks are the ids of the checks that may find the cause.
	Checks []string
	// From says from where the cause can be found: "inside", "outside" or "both".
	From string
	// Status is Fail, or Warn if the setting may be intended or cannot be judged.
	// OK is for a note about something that people mistake for a cause. No check
	// finds a note.
	Status Status
	// Blocks, for a Warn, prevents the checks that need the check that found the
	// cause.
	Blocks bool
	// Spares, for a Fail, lets the checks that need this one run nevertheless,
	// because part of what they ask still answers.
	Spares bool
	// Code is the error code that Element Call shows for the cause, or "" for
	// none.
	Code string
	// Text says what is wrong, and Remedy says how to mend it.
	Text, Remedy string
	// Unbroken says why no test produces the cause. It is "" if a test does.
	Unbroken string
}

// kind returns the cause's Kind, or its ID if it has none.
func (c *Cause) kind() string { return cmp.Or(c.Kind, c.ID) }

// Unfinished is the cause that the engine itself finds: the check {check} did
// not end in time.
var Unfinished = Cause{ID: "unfinished", Checks: []string{"homeserver.discovery"}, From: "both", Status: Warn, Blocks: true, Unbroken: "the tests of the engine produce it, in virtual time",
	Text:   "the check {check} did not end within its time limit, so doctor cannot say what it would have found",
	Remedy: "run doctor again with --only {check}. If the check does not end in time again, something between doctor and the server drops packets without an answer"}

func unfinished(id, format string, args ...any) Finding {
	return Because(&Unfinished, Vars{"check": id}, format, args...)
}

// Vars replace the placeholders of a cause's texts: {server}, {url} and so on.
type Vars map[string]string

// Or returns v with the variables of others that v lacks.
func (v Vars) Or(others Vars) Vars {
	all := maps.Clone(others)
	if all == nil {
		all = Vars{}
	}
	maps.Copy(all, v)
	return all
}
