package config

import (
	"errors"
	"fmt"
	"slices"
)

// Parse checks the whole input. Its only effects are the calls of readFile. The
// error joins every [Fault]. With an error, the Config holds only how to log.
func Parse(in Input, readFile func(name string) ([]byte, error)) (Config, []Warning, error) {
	c, warnings, err := parse(in, readFile)
	if err != nil {
		return Config{LogLevel: c.LogLevel, LogJSON: c.LogJSON}, warnings, err
	}
	return c, warnings, nil
}

// parse is Parse, but with an error the Config holds all values without a
// fault.
func parse(in Input, readFile func(name string) ([]byte, error)) (Config, []Warning, error) {
	j := newJudge(in, readFile)
	c := Config{files: j.files}
	for _, v := range table {
		if v.how.parse != nil {
			v.how.parse(j, j.variable(v.Name), &c)
		}
	}
	j.quotationMarks()
	j.otherVariables()
	return c, j.warnings, j.err()
}

// judge collects the faults and warnings of the variables. Its methods return a
// zero value after a fault, so that the next variable is checked, too.
type judge struct {
	input    Input
	readFile func(string) ([]byte, error)
	values   map[string]value
	others   []*other
	files    map[string]string // variable → path that was read
	warnings []Warning
	faults   []error
}

func newJudge(in Input, readFile func(string) ([]byte, error)) *judge {
	j := &judge{input: in, readFile: readFile, values: map[string]value{}, others: findOthers(in.Others), files: map[string]string{}}
	for _, v := range Variables() {
		j.values[v.Name] = newValue(v, in.Environment[v.Name])
	}
	return j
}

// variable returns the value of a variable of the table.
func (j *judge) variable(name string) value {
	v, ok := j.values[name]
	if !ok {
		panic("config: the table lacks " + name)
	}
	return v
}

func (j *judge) fault(v value, format string, args ...any) {
	fault := Fault{v.name, fmt.Sprintf(format, args...)}
	if !slices.Contains(j.faults, error(fault)) {
		j.faults = append(j.faults, fault)
	}
}

// missing reports a fault of the first of the variables, none of which is set.
// problem says why one is needed, and how to set it.
func (j *judge) missing(problem string, vs ...value) {
	if instead := j.instead(vs); instead != "" {
		problem = ", but " + instead
	}
	j.fault(vs[0], "missing%s", problem)
}

func (j *judge) warn(v value, kind Kind, format string, args ...any) {
	warning := Warning{v.name, kind, fmt.Sprintf(format, args...)}
	if !slices.Contains(j.warnings, warning) {
		j.warnings = append(j.warnings, warning)
	}
}

// err joins the faults; nil when there are none.
func (j *judge) err() error { return errors.Join(j.faults...) }

// ignore warns of every variable in losers that is set, because winner
// overrides it.
func (j *judge) ignore(winner value, losers ...value) {
	for _, v := range losers {
		if v.isSet() {
			j.warn(v, Ignored, "this variable is ignored, because %s is set and is used instead; remove one of the two", winner.name)
		}
	}
}

// newest returns the value under the current name if it is set, else that under
// the old name.
func (j *judge) newest(current, old value) value {
	if current.isSet() || !old.isSet() {
		j.ignore(current, old)
		return current
	}
	return old
}
