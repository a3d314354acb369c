// Package existing reads the files of a deployment that another guide made. It
// finds what setup can take over, and what must be added, changed or dropped.
//
// [Read] takes the contents of files and returns what they say. [Judge] is a
// pure function of the result of Read. This package writes no file, and no
// finding contains a secret.
package existing

import (
	"fmt"

	"matrixrtc-auth/internal/secret"
)

// File is one file of the old deployment.
type File struct {
	Name    string // the file's path; the paths of --from are as the person typed them
	Content []byte
}

// Place is the file and the line in which the old deployment has something.
type Place struct {
	File string
	Line int // the line number; 0 for the whole file
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s, line %d", p.File, p.Line)
}

// Fact is a value that a file of the old deployment contains, with its place.
type Fact struct {
	Value string
	Place
}

// Pair is an API key with its secret.
type Pair struct {
	ID     string
	Secret secret.Text
	Place
}

// Variable is a variable of the service's environment. Its value may be a
// secret.
type Variable struct {
	Name  string
	Value secret.Text
	Place
}

// Verb says whether a finding is about something to add, change or drop.
type Verb string

// The three values of Verb.
const (
	Add    Verb = "add"
	Change Verb = "change"
	Drop   Verb = "drop"
)

// Finding is a difference between the old deployment and one that works with
// this program.
type Finding struct {
	Verb
	What string // what is added, changed or dropped
	Why  string // the reason, as one or more sentences
	// Place is where the old deployment has the thing; it is zero if the thing
	// is missing there.
	Place
	// Lines are the lines to write or the commands to type.
	Lines []string
	// Check says how the person sees that they have done what the finding says.
	// It is "" if the person need not do anything, because setup's files
	// already differ in this way.
	Check string
}

// Verdict is the result of [Judge].
type Verdict struct {
	// Answers are the values in the files for setup's options, by the option's
	// name. Two values of the same option contradict each other.
	Answers map[string][]Fact
	// Pair is the key pair that LiveKit and the service share; zero if setup must
	// make a new one.
	Pair Pair
	// Registration is the registration file of the application-service mode, if
	// there is one.
	Registration File
	// Variables are the service's other variables. setup copies them unchanged.
	Variables []Variable
	Findings  []Finding
}

// say records at as the place of an option's value, unless the same value is
// already recorded.
func (v *Verdict) say(option, value string, at Place) {
	for _, f := range v.Answers[option] {
		if f.Value == value {
			return
		}
	}
	if v.Answers == nil {
		v.Answers = map[string][]Fact{}
	}
	v.Answers[option] = append(v.Answers[option], Fact{value, at})
}

func (v *Verdict) find(f Finding) { v.Findings = append(v.Findings, f) }
