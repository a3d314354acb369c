package config

import (
	"errors"
	"fmt"
	"slices"
)

// Parse makes the Config from the input. It is pure except for its calls of
// readFile. The error joins every [Fault]. With an error, the Config has only
// the settings of the log.
func Parse(in Input, readFile func(name string) ([]byte, error)) (Config, []Warning, error) {
	c, warnings, err := parse(in, readFile)
	if err != nil {
		return Config{LogLevel: c.LogLevel, LogJSON: c.LogJSON}, warnings, err
	}
	return c, warnings, nil
}

// parse is like Parse, but it returns a Config with all valid values even if it
// returns an error. It goes on after a fault, so the error has all faults.
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

// judge checks the variables, and collects the faults and warnings. After a
// fault its methods return a zero value, so that the other variables are
// checked, too.
type judge struct {
	input    Input
	readFile func(string) ([]byte, error)
	values   map[string]value
	others   []*other
	files    map[string]string // the path of each file that was read, by variable
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

// variable returns the value of the variable called name, which must be in the
// table.
func (j *judge) variable(name string) value {
	v, ok := j.values[name]
	if !ok {
		panic("config: the table lacks " + name)
	}
	return v
}

// fault records that the service cannot work with the value of v, and so does not
// start.
func (j *judge) fault(v value, format string, args ...any) {
	fault := Fault{v.name, fmt.Sprintf(format, args...)}
	if !slices.Contains(j.faults, error(fault)) {
		j.faults = append(j.faults, fault)
	}
}

// missing reports the fault that none of the variables vs is set. The fault
// names the first of them. problem says why one of them is needed and how to
// set it. If another program's variable is set instead, the fault names this
// variable, and does not contain problem.
func (j *judge) missing(problem string, vs ...value) {
	if instead := j.instead(vs); instead != "" {
		problem = ", but " + instead
	}
	j.fault(vs[0], "missing%s", problem)
}

// warn records that the value of v may be a mistake. The service starts, and its log
// has the warning.
func (j *judge) warn(v value, kind Kind, format string, args ...any) {
	warning := Warning{v.name, kind, fmt.Sprintf(format, args...)}
	if !slices.Contains(j.warnings, warning) {
		j.warnings = append(j.warnings, warning)
	}
}

// err returns all faults as one error; nil if there are none.
func (j *judge) err() error { return errors.Join(j.faults...) }

// ignore warns of each variable in losers that is set, because the variable
// winner overrides it.
func (j *judge) ignore(winner value, losers ...value) {
	for _, v := range losers {
		if v.isSet() {
			j.warn(v, Ignored, "this variable is ignored, because %s is set and is used instead; remove one of the two", winner.name)
		}
	}
}

// newest returns the value of current if that variable is set. Otherwise it
// returns the value of old, which is the variable's old name.
func (j *judge) newest(current, old value) value {
	if current.isSet() || !old.isSet() {
		j.ignore(current, old)
		return current
	}
	return old
}
