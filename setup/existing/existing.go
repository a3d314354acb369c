// Package existing reads the files of a deployment that another guide made, and
// judges them: what setup can take over, and what is to be added, changed or
// dropped.
//
// [Read] takes the contents of files and returns what they say. [Judge] is a
// pure function of that. Nothing here writes a file, and no finding holds a secret.
package existing

import (
	"fmt"

	"matrixrtc-auth/internal/secret"
)

// File is one file of the deployment.
type File struct {
	Name    string // the path, as a person knows it
	Content []byte
}

// Place is where something is said.
type Place struct {
	File string
	Line int // 0 for the whole file
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s, line %d", p.File, p.Line)
}

// Fact is what a file says.
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

// Variable is one of the service's environment. Its value may be a secret.
type Variable struct {
	Name  string
	Value secret.Text
	Place
}

// Verb is what is to be done about a finding.
type Verb string

// The three kinds of findings.
const (
	Add    Verb = "add"
	Change Verb = "change"
	Drop   Verb = "drop"
)

// Finding is a difference between the deployment and a sound one.
type Finding struct {
	Verb
	What string // the thing, as the object of the verb
	Why  string // a sentence
	// Place is where the old one says it; zero for what is missing.
	Place
	// Lines are what a person is to write.
	Lines []string
	// Check is how a person sees that they have done it; "" says that the files
	// that setup writes do it.
	Check string
}

// Verdict is what [Judge] finds.
type Verdict struct {
	// Answers are what the files say of an option of setup, by its name. Values
	// that differ contradict each other.
	Answers map[string][]Fact
	// Pair is the one that LiveKit and the service share; zero if setup is to make
	// a new one.
	Pair Pair
	// Registration is the file of the application-service mode, if it is there.
	Registration File
	// Variables are others of the service, which stay as they are.
	Variables []Variable
	Findings  []Finding
}

// say notes what a file says of an option, once for each value.
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
