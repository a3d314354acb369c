package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Report is the outcome of one run.
type Report struct {
	Version string   `json:"version"`
	Vantage string   `json:"vantage"` // "inside" or "outside"
	Summary Summary  `json:"summary"`
	Checks  []Result `json:"checks"`
}

// Summary counts the checks by status.
type Summary struct {
	OK   int `json:"ok"`
	Warn int `json:"warn"`
	Fail int `json:"fail"`
	NA   int `json:"na"`
}

// Result is one check's. Cause and what follows from it are empty where there
// is none; Server is set where a check is made for each of several homeservers.
type Result struct {
	ID              string `json:"id"`
	Server          string `json:"server,omitempty"`
	Status          Status `json:"status"`
	Seen            string `json:"seen"`
	Cause           string `json:"cause"`
	Remedy          string `json:"remedy"`
	ElementCallCode string `json:"element_call_code"`
	DurationMS      int64  `json:"duration_ms"`

	causeID string
}

// report puts together what the checks have found.
func report(version, vantage string, checks []*Check) Report {
	r := Report{Version: version, Vantage: vantage}
	for _, c := range checks {
		r.Checks = append(r.Checks, c.result())
		switch c.ended.Status {
		case OK:
			r.Summary.OK++
		case Warn:
			r.Summary.Warn++
		case Fail:
			r.Summary.Fail++
		case NA:
			r.Summary.NA++
		}
	}
	return r
}

func (c *Check) result() Result {
	r := Result{ID: c.ID, Server: c.Server, Status: c.ended.Status, Seen: c.ended.Seen, DurationMS: c.ended.took.Milliseconds()}
	if cause := c.ended.Cause; cause != nil {
		r.causeID = cause.ID
		r.Cause, r.Remedy = cause.explain(c.ended.Vars)
		r.ElementCallCode = cause.Code
	}
	return r
}

// WriteJSON writes r as one JSON document.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// marks stand for the states in what people read.
var marks = map[Status]string{OK: "✓", Warn: "!", Fail: "✗", NA: "–"}

// titles of the groups, in the order of the checks.
var titles = map[string]string{
	"config": "Configuration", "livekit": "livekit.yaml", "homeserver": "Homeserver",
	"public": "This service, as clients reach it", "service": "The running service",
	"sfu": "LiveKit", "webhook": "Webhooks", "user": "A user's way into a call",
}

// WriteText writes r for people.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "matrixrtc-auth doctor %s, from %s\n", r.Version, r.Vantage)
	last := ""
	for _, c := range r.Checks {
		if title := cmp.Or(titles[group(c.ID)], group(c.ID)); title != last {
			fmt.Fprintf(&b, "\n%s\n", title)
			last = title
		}
		c.write(&b)
	}
	s := r.Summary
	fmt.Fprintf(&b, "\n%d right, %d warnings, %d faults, %d not looked at\n", s.OK, s.Warn, s.Fail, s.NA)
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Result) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %s %s", marks[c.Status], c.ID)
	if c.Server != "" {
		fmt.Fprintf(b, " (%s)", c.Server)
	}
	fmt.Fprintf(b, ": %s\n", c.Seen)
	if c.Cause == "" {
		return
	}
	fmt.Fprintf(b, "      cause:  %s\n      remedy: %s\n", c.Cause, c.Remedy)
	if c.ElementCallCode != "" {
		fmt.Fprintf(b, "      Element Call shows: %s\n", c.ElementCallCode)
	}
}

// progress tells how far the run is: on a line of its own that changes at a
// terminal, else a line for each check.
type progress struct {
	w        io.Writer
	terminal bool
}

func (p *progress) ended(c *Check, left int) {
	switch {
	case p.terminal && left == 0:
		fmt.Fprint(p.w, "\r\x1b[K")
	case p.terminal:
		fmt.Fprintf(p.w, "\r\x1b[K%s: %d checks left", c.ID, left)
	default:
		fmt.Fprintf(p.w, "%s: %s (%d left)\n", c.ID, c.ended.Status, left)
	}
}
