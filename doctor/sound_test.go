package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor/engine"
)

// unsound are texts that no report may contain. They are Go's words for missing
// values, the sign of a format verb without its value, and placeholders that
// were not replaced.
var unsound = []string{"<nil>", "%!", "{server}", "{host}", "{url}", "{sfu}", "{program}", "{who}", "{other}", "{address}", "{instead}", "{late}", ": ;"}

// isSound checks what must hold for every report. Each check says what it saw,
// and each fault has a cause and a remedy. If doctor does not make a check
// because of another check's fault, the report names that other check.
func isSound(t *testing.T, report engine.Report) {
	t.Helper()
	status := map[string]engine.Status{}
	for _, c := range report.Checks {
		if status[c.ID] != engine.Fail && status[c.ID] != engine.Warn {
			status[c.ID] = c.Status
		}
	}
	told := map[string]string{} // the id of the check that reports a cause, by the cause, the server and the text
	for _, c := range report.Checks {
		text := c.Seen + "\n" + c.Cause + "\n" + c.Remedy
		if i := slices.IndexFunc(unsound, func(s string) bool { return strings.Contains(text, s) }); i >= 0 {
			t.Errorf("%s says %q: %s: got %v, want less than 0", c.ID, unsound[i], text, i)
		}
		if seen := strings.TrimSpace(c.Seen); seen == "" || strings.HasSuffix(seen, ":") {
			t.Errorf("%s: %s: got %q as what is seen, want a whole text", c.ID, c.Status, c.Seen)
		}
		fault := c.Status == engine.Fail || c.Status == engine.Warn
		if fault != (c.CauseID != "" && c.Cause != "" && c.Remedy != "") {
			t.Errorf("%s: %s: got the cause %q, %q, and the remedy %q; want all three of a fault, and none of a success", c.ID, c.Status, c.CauseID, c.Cause, c.Remedy)
		}
		if before := told[c.CauseID+" "+c.Server+" "+c.Cause]; c.CauseID != "" && before != "" {
			t.Errorf("%s and %s: got the same cause %s, want it said once", before, c.ID, c.Cause)
		}
		told[c.CauseID+" "+c.Server+" "+c.Cause] = c.ID
		isExcused(t, c, status)
	}
}

// isExcused tests the result c of a check. If doctor did not make the check because
// of another check, c must name that other check, and the other check must have
// found a fault or a warning.
func isExcused(t *testing.T, c engine.Result, status map[string]engine.Status) {
	t.Helper()
	for _, form := range []struct{ before, after string }{{"not looked at: ", " must be right first"}, {", as ", " says"}} {
		_, rest, found := strings.Cut(c.Seen, form.before)
		id, isEnd := strings.CutSuffix(rest, form.after)
		if c.Status != engine.NA || !found || !isEnd {
			continue
		}
		if i := strings.LastIndex(id, form.before); i >= 0 {
			id = id[i+len(form.before):]
		}
		if s := status[id]; s != engine.Fail && s != engine.Warn {
			t.Errorf("%s, %s: got the status %q of %s, want a fault", c.ID, c.Seen, s, id)
		}
	}
}
