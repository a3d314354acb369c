// Package existing reads the files of a deployment that another guide made. That means
// a deployment that a person, and not setup, has made. The package finds what setup can
// take over, and what must be added, changed or dropped.
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
	Name    string // the file's path; if --from names the file, the path as in --from
	Content []byte
}

// Place is a file of the old deployment, and a line in it.
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
	// Place is where the old deployment has the thing that What names. It is
	// zero if the old deployment lacks the thing.
	Place
	// Lines are the lines that the operator must write, or the commands that
	// the operator must type.
	Lines []string
	// Check says how the operator can see that the work is done. It is "" if
	// there is no work, because setup's files already have the change.
	Check string
}

// Verdict is the result of [Judge].
type Verdict struct {
	// Answers are the values that the old files have for setup's options, by
	// option. If an option has two values, these contradict each other.
	Answers map[string][]Fact
	// Pair is the key pair that LiveKit and the service share; zero if setup must
	// make a new one.
	Pair Pair
	// Registration is the registration file of the application-service mode, if
	// there is one.
	Registration File
	// Variables are the service's variables that setup copies unchanged into
	// .env.
	Variables []Variable
	Findings  []Finding
}

// say records that option has value, and where the value was found. It does
// nothing if the same value is already recorded.
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
