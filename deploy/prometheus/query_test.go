package prometheus

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// query is an expression that an alert or a panel evaluates.
type query struct{ of, expr, legend string }

// allQueries returns the queries of all alerts and panels.
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
			// Grafana replaces its variable $__rate_interval by a duration like 1m.
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
			queries = append(queries, query{"panel " + panel.Title, expr, target.LegendFormat})
		}
	}
	return queries
}

// selector is a metric in a query, with the conditions on its labels.
type selector struct {
	metric   string
	matchers []matcher
}

// matcher is a condition on the value of a label. op is =, !=, =~ or !~.
type matcher struct{ label, op, value string }

func (q query) selectors() (found []selector) {
	metric := regexp.MustCompile(`\b((?:matrixrtc_auth|process|go)_\w+)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	for _, s := range metric.FindAllStringSubmatch(q.expr, -1) {
		one := selector{metric: s[1]}
		for _, m := range label.FindAllStringSubmatch(s[2], -1) {
			one.matchers = append(one.matchers, matcher{m[1], m[2], m[3]})
		}
		found = append(found, one)
	}
	return found
}

// labels returns the labels that a query names outside of selectors. A query
// names such labels after "by", and in the legend.
func (q query) labels() (found []string) {
	for _, list := range all(regexp.MustCompile(`\bby \(([^)]*)\)`), q.expr) {
		found = append(found, all(regexp.MustCompile(`(\w+)`), list)...)
	}
	return append(found, all(regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`), q.legend)...)
}

func all(pattern *regexp.Regexp, text string) (groups []string) {
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		groups = append(groups, match[1])
	}
	return groups
}

// served maps each of the program's metrics to its labels, and each label to
// its values.
type served map[string]map[string][]string

// strange returns the first metric, label or label value in q that the program
// does not serve. If the program serves all of them, strange returns "".
func (s served) strange(q query) string {
	some := map[string]bool{}
	for _, one := range q.selectors() {
		if s[one.metric] == nil {
			return one.metric
		}
		for label := range s[one.metric] {
			some[label] = true
		}
		for _, m := range one.matchers {
			values, ok := s[one.metric][m.label]
			switch {
			case !ok:
				return one.metric + "{" + m.label + "}"
			case !m.found(values):
				return one.metric + "{" + m.label + m.op + `"` + m.value + `"}`
			}
		}
	}
	for _, label := range q.labels() {
		if !some[label] {
			return "{" + label + "}"
		}
	}
	return ""
}

// found reports whether at least one of the label's values meets the condition.
// It does not check the conditions != and !~: for them it returns true.
func (m matcher) found(values []string) bool {
	switch m.op {
	case "=":
		return slices.Contains(values, m.value)
	case "=~":
		return slices.ContainsFunc(values, regexp.MustCompile("^(?:"+m.value+")$").MatchString)
	}
	return true
}

// TestStrange checks that the method strange finds an unknown name in every
// part of a query.
func TestStrange(t *testing.T) {
	program := served{
		"matrixrtc_auth_requests_total": {"route": {"/sfu/get"}, "status": {"200", "401"}},
		"matrixrtc_auth_seconds_bucket": {"le": {"1", "+Inf"}},
		"process_resident_memory_bytes": {"instance": {"here"}},
	}
	for _, c := range []struct {
		q    query
		want string
	}{
		{query{expr: `sum by (route) (rate(matrixrtc_auth_requests_total{status="200"}[5m]))`, legend: "{{route}}"}, ""},
		{query{expr: `sum(rate(matrixrtc_auth_request_total[5m]))`}, "matrixrtc_auth_request_total"},
		{query{expr: `sum(matrixrtc_auth_requests_total{code="200"})`}, "matrixrtc_auth_requests_total{code}"},
		{query{expr: `sum(matrixrtc_auth_requests_total{status="20"})`}, `matrixrtc_auth_requests_total{status="20"}`},
		{query{expr: `sum(matrixrtc_auth_requests_total{status=~"5.."})`}, `matrixrtc_auth_requests_total{status=~"5.."}`},
		{query{expr: `sum(matrixrtc_auth_requests_total{status=~"4..",status!~"5..",route!="/"})`}, ""},
		{query{expr: `sum by (code) (matrixrtc_auth_requests_total)`}, "{code}"},
		{query{expr: `matrixrtc_auth_requests_total`, legend: "{{code}}"}, "{code}"},
		{query{expr: `histogram_quantile(0.9, sum by (le) (rate(matrixrtc_auth_seconds_bucket[1m])))`}, ""},
		{query{expr: `process_resident_memory_byte`}, "process_resident_memory_byte"},
	} {
		t.Run(c.q.expr+" "+c.q.legend, func(t *testing.T) {
			if got := program.strange(c.q); got != c.want {
				t.Errorf("%s, legend %q: got %q, want %q", c.q.expr, c.q.legend, got, c.want)
			}
		})
	}
}
