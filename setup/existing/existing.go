// Package existing reads the files of a deployment made by another guide, and
// judges them: what setup can take over, and what must be added, changed or
// dropped.
//
// [Read] takes the contents of files and returns what they say. [Judge] is a
// pure function of the result of Read. This package writes no file, and no
// finding contains a secret.
package existing

import (
	"fmt"

	"matrixrtc-auth/internal/secret"
)

// File is one file of the deployment.
type File struct {
	Name    string // the path as the person gave it
	Content []byte
}

// Place is the file and the line in which something is written.
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

// Fact is a value that a file contains, with its place.
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

// Verb says what the operator or setup does about a finding.
type Verb string

// The three kinds of findings.
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
	// Place is where the old deployment has it; zero if it is missing there.
	Place
	// Lines are the lines that the person must write.
	Lines []string
	// Check says how the person sees that the finding is solved. It is "" if
	// setup's files have solved it.
	Check string
}

// Verdict is the result of [Judge].
type Verdict struct {
	// Answers are the values that the files contain for options of setup, by the
	// option's name. If an option has several values, they contradict each other.
	Answers map[string][]Fact
	// Pair is the key pair that LiveKit and the service share; zero if setup must
	// make a new one.
	Pair Pair
	// Registration is the registration file of the application-service mode, if
	// there is one.
	Registration File
	// Variables are the other variables of the service, which stay unchanged.
	Variables []Variable
	Findings  []Finding
}

// say adds a file's value for an option, unless the same value is already
// there.
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
