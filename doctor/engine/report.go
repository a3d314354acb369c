package engine

import (
	"encoding/json"
	"io"
	"strings"
)

// Report is the result of one run.
type Report struct {
	Version string   `json:"version"`
	Vantage string   `json:"vantage"` // "inside" or "outside"
	Summary Summary  `json:"summary"`
	Checks  []Result `json:"checks"`

	groups []Group
}

// Group is the checks whose ids begin with ID and a dot.
type Group struct{ ID, Title string }

// GroupOf returns the part of a check's id before the dot.
func GroupOf(id string) string {
	name, _, _ := strings.Cut(id, ".")
	return name
}

// Summary counts the checks by status.
type Summary struct {
	OK   int `json:"ok"`
	Warn int `json:"warn"`
	Fail int `json:"fail"`
	NA   int `json:"na"`
}

// Result is the result of one check. Cause and the fields that depend on it are
// empty if there is none. Server is set if there are checks for several
// homeservers.
type Result struct {
	ID              string `json:"id"`
	Server          string `json:"server,omitempty"`
	Status          Status `json:"status"`
	Seen            string `json:"seen"`
	CauseID         string `json:"cause_id"` // in the table of causes
	Cause           string `json:"cause"`
	Remedy          string `json:"remedy"`
	ElementCallCode string `json:"element_call_code"`
	DurationMS      int64  `json:"duration_ms"`

	// after is the check that prevented this one, if that was itself not run;
	// else "".
	after string
}

// NewReport makes the report of the checks. fill replaces the placeholders of a
// cause's text; v are those that the finding knows.
func NewReport(version, vantage string, groups []Group, checks []*Check, fill func(text string, v Vars) string) Report {
	r := Report{Version: version, Vantage: vantage, groups: groups}
	for _, c := range checks {
		r.Checks = append(r.Checks, c.result(fill))
		r.Summary.count(c.ended.Status)
	}
	return r
}

// count adds one check.
func (s *Summary) count(status Status) {
	switch status {
	case OK:
		s.OK++
	case Warn:
		s.Warn++
	case Fail:
		s.Fail++
	case NA:
		s.NA++
	}
}

func (c *Check) result(fill func(string, Vars) string) Result {
	r := Result{ID: c.ID, Server: c.Server, Status: c.ended.Status, Seen: c.ended.Seen, DurationMS: c.ended.took.Milliseconds()}
	if root := c.ended.root; root != nil && root.ended.Status == NA {
		r.after = root.ID
	}
	if cause := c.ended.Cause; cause != nil {
		r.CauseID = cause.ID
		r.Cause, r.Remedy = fill(cause.Text, c.ended.Vars), fill(cause.Remedy, c.ended.Vars)
		r.ElementCallCode = cause.Code
	}
	return r
}

// WriteJSON writes r as a JSON document.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
