package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Status is the result of a check.
type Status string

// The values of Status. Warn means that the operator may have intended what the
// check found, or that this machine cannot judge it. NA means that the check
// was not made.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	NA   Status = "na"
)

// Finding is what a check found.
type Finding struct {
	Status Status
	Seen   string // what the check saw, and from where it looked
	Cause  *Cause // why Status is Fail or Warn; nil for OK and NA
	Vars   Vars   // the values for the placeholders in the cause's texts
	// If Blocks is set, doctor does not make the checks that need this check,
	// although this finding is only a warning.
	Blocks bool
	// At are the places that the finding is about. A place is host:port, an
	// address with its port, an address, or a certificate. Two findings with
	// the same cause about the same place are the same fault.
	At []string
}

// Right returns the finding of a check that found no fault.
func Right(format string, args ...any) Finding {
	return Finding{Status: OK, Seen: fmt.Sprintf(format, args...)}
}

// NotLooked returns the finding of a check that does not apply or that nobody
// asked for.
func NotLooked(format string, args ...any) Finding {
	return Finding{Status: NA, Seen: fmt.Sprintf(format, args...)}
}

// Because returns the finding of a check that found the cause c. The cause
// says whether this is a fault or a warning.
func Because(c *Cause, v Vars, format string, args ...any) Finding {
	return Finding{Status: c.Status, Seen: fmt.Sprintf(format, args...), Cause: c, Vars: v, Blocks: c.Blocks}
}

// severity is 2 for a fault, 1 for a warning, and 0 for any other finding.
func (f Finding) severity() int { return map[Status]int{Fail: 2, Warn: 1}[f.Status] }

// In returns f with additional places to which the finding applies.
func (f Finding) In(places ...string) Finding {
	f.At = slices.Concat(f.At, places)
	return f
}

// meets reports whether the two findings have a place in common.
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
	// Kind is the same for all causes that are the same fault at different
	// places. It is "" if there is only one such cause.
	Kind string
	// Rows are the numbers of the lines in doctor/causes/testdata/failures.txt
	// that the cause explains. Each line of that file begins with its number.
	Rows []int
	// Checks are the ids of the checks that may find the cause.
	Checks []string
	// From says from where the cause can be found: "inside", "outside" or "both".
	From string
	// Status is Fail for most causes. It is Warn if the operator may have intended
	// the setting, or if doctor cannot judge the setting. It is OK for a note:
	// an entry in the table of package causes that no check finds. A note describes
	// what people mistake for a cause.
	Status Status
	// Blocks is for a cause with the Status Warn. If it is true, and a check has
	// found the cause, doctor does not make the checks that need this check.
	Blocks bool
	// Spares is for a cause with the Status Fail. Usually, if a check has found such a
	// cause, doctor skips the checks that need this check. If Spares is true, doctor
	// makes them, because they can succeed: for example, only some of a host's
	// addresses do not answer.
	Spares bool
	// Code is the error code that Element Call shows because of this cause; ""
	// for none.
	Code string
	// Text says what is wrong, and Remedy says how to mend it.
	Text, Remedy string
	// Unbroken says why no test produces the cause. It is "" if a test does.
	Unbroken string
}

// kind returns the cause's Kind, or its ID if Kind is "".
func (c *Cause) kind() string { return cmp.Or(c.Kind, c.ID) }

// Unfinished is the only cause that the engine itself finds. It means that a
// check did not end in time.
var Unfinished = Cause{ID: "unfinished", Checks: []string{"homeserver.discovery"}, From: "both", Status: Warn, Blocks: true, Unbroken: "the tests of the engine produce it, in virtual time",
	Text:   "the check {check} did not end within its time limit (8 seconds for most checks), so doctor does not know what this check would find",
	Remedy: "run doctor again with --only {check}. If the check again does not end in time, look for a firewall between doctor and the server that the check asks. Such a firewall drops packets without an answer"}

func unfinished(id, format string, args ...any) Finding {
	return Because(&Unfinished, Vars{"check": id}, format, args...)
}

// Vars replace the placeholders of a cause's texts: {server}, {url} and so on.
type Vars map[string]string

// Or returns the variables of v, and those variables of the argument others that v
// lacks.
func (v Vars) Or(others Vars) Vars {
	all := maps.Clone(others)
	if all == nil {
		all = Vars{}
	}
	maps.Copy(all, v)
	return all
}
