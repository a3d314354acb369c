package prometheus

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// query is one expression of an alert or a panel.
type query struct{ of, expr, legend string }

// allQueries are those of all alerts and panels.
func allQueries(t *testing.T) (queries []query) {
	t.Helper()
	for _, a := range readAlerts(t) {
		queries = append(queries, query{of: "alert " + a.Alert, expr: a.Expr})
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "../grafana/matrixrtc-auth.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("the panel %q has no query: got none, want some", panel.Title)
		}
		for _, target := range panel.Targets {
			// What Grafana puts in place of its variable.
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
			queries = append(queries, query{"panel " + panel.Title, expr, target.LegendFormat})
		}
	}
	return queries
}

// names are what a query speaks of: metrics, and the labels of each; "" are the
// labels of any of them.
func (q query) names() map[string][]string {
	found := map[string][]string{}
	selector := regexp.MustCompile(`\b((?:matrixrtc_auth|process|go)_\w+)(?:\{([^}]*)\})?`)
	matcher := regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	for _, s := range selector.FindAllStringSubmatch(q.expr, -1) {
		found[s[1]] = append(found[s[1]], all(matcher, s[2])...)
	}
	for _, list := range all(regexp.MustCompile(`\bby \(([^)]*)\)`), q.expr) {
		found[""] = append(found[""], all(regexp.MustCompile(`(\w+)`), list)...)
	}
	found[""] = append(found[""], all(regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`), q.legend)...)
	return found
}

func all(pattern *regexp.Regexp, text string) (groups []string) {
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		groups = append(groups, match[1])
	}
	return groups
}

// strange returns the first name in q that the program does not serve, "" for none.
// served has the labels of each metric.
func (q query) strange(served map[string]map[string]bool) string {
	any := map[string]bool{}
	names := q.names()
	for metric, labels := range names {
		if metric == "" {
			continue
		}
		if served[metric] == nil {
			return metric
		}
		for label := range served[metric] {
			any[label] = true
		}
		for _, label := range labels {
			if !served[metric][label] {
				return metric + "{" + label + "}"
			}
		}
	}
	for _, label := range names[""] {
		if !any[label] {
			return "{" + label + "}"
		}
	}
	return ""
}

// TestStrange: a name that the program has not is found wherever it stands.
func TestStrange(t *testing.T) {
	served := map[string]map[string]bool{
		"matrixrtc_auth_requests_total":   {"route": true, "status": true},
		"matrixrtc_auth_seconds_bucket":   {"le": true},
		"process_resident_memory_bytes":   {"instance": true},
		"matrixrtc_auth_leave_jobs":       {"state": true},
		"matrixrtc_auth_health":           {"of": true},
		"matrixrtc_auth_log_lines_total_": {},
	}
	for _, c := range []struct {
		q    query
		want string
	}{
		{query{expr: `sum by (route) (rate(matrixrtc_auth_requests_total{status="200"}[5m]))`, legend: "{{route}}"}, ""},
		{query{expr: `sum(rate(matrixrtc_auth_request_total[5m]))`}, "matrixrtc_auth_request_total"},
		{query{expr: `sum(matrixrtc_auth_requests_total{code="200"})`}, "matrixrtc_auth_requests_total{code}"},
		{query{expr: `sum by (code) (matrixrtc_auth_requests_total)`}, "{code}"},
		{query{expr: `matrixrtc_auth_requests_total`, legend: "{{code}}"}, "{code}"},
		{query{expr: `histogram_quantile(0.9, sum by (le) (rate(matrixrtc_auth_seconds_bucket[1m])))`}, ""},
		{query{expr: `process_resident_memory_byte`}, "process_resident_memory_byte"},
	} {
		if got := c.q.strange(served); got != c.want {
			t.Errorf("%s, legend %q: got %q, want %q", c.q.expr, c.q.legend, got, c.want)
		}
	}
}
