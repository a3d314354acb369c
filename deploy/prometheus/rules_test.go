package prometheus

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// alert is the part of an alerting rule that these tests check.
type alert struct {
	Alert, Expr string
	Labels      struct{ Severity string }
	Annotations struct{ Summary, Page string }
}

func readAlerts(t *testing.T) (alerts []alert) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal([]byte(read(t, "rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		alerts = append(alerts, group.Rules...)
	}
	if len(alerts) == 0 {
		t.Fatal("rules.yaml has no alert: got none, want some")
	}
	return alerts
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRules checks that Prometheus accepts the alerting rules. It also runs the
// tests in rules_test.yaml. In these tests, each alert must fire only for the
// fault that it is about.
func TestRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: got %v\n%s, want no error", strings.Join(args, " "), err, out)
			}
		})
	}
}

// TestEveryAlertIsTested checks that rules_test.yaml tests each alert. If the
// alert's expression joins several conditions with "or", the alert must fire in
// one test for each condition. In all other tests, also in the test of a
// healthy service, the alert must be silent.
func TestEveryAlertIsTested(t *testing.T) {
	tests := read(t, "rules_test.yaml")
	all := strings.Count(tests, "\n  - name: ")
	for _, a := range readAlerts(t) {
		fires := regexp.MustCompile(`alertname: ` + a.Alert + `\n\s+exp_alerts:`)
		silent := regexp.MustCompile(`alertname: ` + a.Alert + `\}`)
		if want := 1 + strings.Count(a.Expr, "\n  or "); len(fires.FindAllString(tests, -1)) != want {
			t.Errorf("%s fires in %d tests, want %d: one for each side of an or", a.Alert, len(fires.FindAllString(tests, -1)), want)
		}
		if n, want := len(silent.FindAllString(tests, -1)), all-len(fires.FindAllString(tests, -1)); n != want {
			t.Errorf("%s is silent in %d tests, want %d: all others", a.Alert, n, want)
		}
	}
}

// TestEveryAlertHasAPage checks that docs/alerts.md says for each alert what
// users notice, what to look at, and what to do.
func TestEveryAlertHasAPage(t *testing.T) {
	page := read(t, "../../docs/alerts.md")
	for _, a := range readAlerts(t) {
		_, section, found := strings.Cut(page, "\n## "+a.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, part := range []string{"**What users notice:** ", "**What to look at:** ", "**What to do:** "} {
			if !found || !strings.Contains(section, part) {
				t.Errorf("docs/alerts.md, %s: got %q, want %q in it", a.Alert, section, part)
			}
		}
		if want := "docs/alerts.md#" + strings.ToLower(a.Alert); a.Annotations.Page != want || a.Annotations.Summary == "" {
			t.Errorf("%s: page %q, summary %q; want %q and a sentence", a.Alert, a.Annotations.Page, a.Annotations.Summary, want)
		}
		if s := a.Labels.Severity; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q, want critical or warning", a.Alert, s)
		}
	}
	if sections, alerts := strings.Count(page, "\n## MatrixRTCAuth"), len(readAlerts(t)); sections != alerts {
		t.Errorf("docs/alerts.md: got %d alerts, want the %d of rules.yaml", sections, alerts)
	}
}
