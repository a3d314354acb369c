package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
)

// Diagnosis is doctor's report.
type Diagnosis struct {
	Vantage string
	Checks  []Finding
	Code    int // doctor's exit code
}

// Finding is the result of one check.
type Finding struct {
	ID, Status, Seen, Cause, Remedy string

	CauseID string `json:"cause_id"`
}

// Check returns the finding of the check with this id. If the report has no such check,
// it returns the zero Finding.
func (d Diagnosis) Check(id string) Finding {
	for _, f := range d.Checks {
		if f.ID == id {
			return f
		}
	}
	return Finding{}
}

// Diagnose runs the command doctor of the program, and returns its report. env has all
// environment variables of the command.
func Diagnose(ctx context.Context, program string, env map[string]string, args ...string) (Diagnosis, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"doctor", "--json"}, args...)...)
	cmd.Env = []string{}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return Diagnosis{}, err
	}
	d := Diagnosis{Code: cmd.ProcessState.ExitCode()}
	if err := json.Unmarshal(out, &d); err != nil {
		return d, fmt.Errorf("doctor prints no report: %w\n%s%s", err, out, stderr.String())
	}
	return d, nil
}
