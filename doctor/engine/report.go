package engine

import (
	"encoding/json"
	"io"
	"strings"
)

// Report is what one run found.
type Report struct {
	Version string   `json:"version"`
	Vantage string   `json:"vantage"` // from where doctor looked, "inside" or "outside"
	Summary Summary  `json:"summary"`
	Checks  []Result `json:"checks"`

	groups []Group
}

// Group is a part of the report under one heading. It has the checks whose ids
// begin with ID and a dot.
type Group struct{ ID, Title string }

// GroupOf returns the part of a check's id before the dot.
func GroupOf(id string) string {
	name, _, _ := strings.Cut(id, ".")
	return name
}

// Summary is the number of checks with each status.
type Summary struct {
	OK   int `json:"ok"`
	Warn int `json:"warn"`
	Fail int `json:"fail"`
	NA   int `json:"na"`
}

// Result is one check in the report. The fields about the cause are empty if
// the check found none. Server is set if several homeservers were checked.
type Result struct {
	ID              string `json:"id"`
	Server          string `json:"server,omitempty"`
	Status          Status `json:"status"`
	Seen            string `json:"seen"`
	CauseID         string `json:"cause_id"` // the id of the cause in the table of causes
	Cause           string `json:"cause"`
	Remedy          string `json:"remedy"`
	ElementCallCode string `json:"element_call_code"`
	DurationMS      int64  `json:"duration_ms"`

	// after is set if this check was not made because another check was not made
	// either. Then it is the id of the other check; otherwise it is "".
	after string
}

// NewReport makes the report of checks that have ended. fill replaces the
// placeholders in a cause's text by the values v of the finding.
func NewReport(version, vantage string, groups []Group, checks []*Check, fill func(text string, v Vars) string) Report {
	r := Report{Version: version, Vantage: vantage, groups: groups}
	for _, c := range checks {
		r.Checks = append(r.Checks, c.result(fill))
		r.Summary.count(c.ended.Status)
	}
	return r
}

// count adds 1 to the number of checks with this status.
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
