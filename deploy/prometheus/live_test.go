package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"matrixrtc-auth/deploy/deploytest"
	"matrixrtc-auth/matrix/matrixtest"
)

const (
	asToken = "as-token-of-the-alerts-0123456789abcdef"
	hsToken = "hs-token-of-the-alerts-0123456789abcdef"
)

// TestLive starts a real Prometheus that scrapes the real service under load.
// It checks every alert and every query of the dashboard. A query may only use
// metrics, labels and label values that the service has. Each panel of the
// dashboard must have data.
func TestLive(t *testing.T) {
	around := deploytest.NewAround(t)
	service := startService(t, around)
	prometheus := startPrometheus(t, service.metrics)
	ctx, stop := context.WithCancel(t.Context())
	var loading sync.WaitGroup
	loading.Go(func() { load(ctx, t, around, service.address) })
	defer loading.Wait()
	defer stop()

	for _, expr := range []string{
		`sum(increase(matrixrtc_auth_requests_total{status="200"}[1m])) > 0`,
		`matrixrtc_auth_leave_actions_total > 0`,
		`matrixrtc_auth_sfu_failures_total > 0`,
		`matrixrtc_auth_delegations_refused_total > 0`,
		`matrixrtc_auth_appservice_requests_total{endpoint="get_token"} > 0`,
		`matrixrtc_auth_membership{of="sweep_age_seconds"} >= 0`,
		`matrixrtc_auth_requests_total{status="500"} > 0`,
		`matrixrtc_auth_sfu_failures_total{cause="no_node"} > 0`,
		`matrixrtc_auth_verifications_total{cause="homeserver_limited"} > 0`,
		`matrixrtc_auth_appservice_requests_total{endpoint="transactions",cause="ok"} > 0`,
	} {
		prometheus.await(t, expr)
	}
	served := prometheus.served(t)
	for _, q := range allQueries(t) {
		if _, err := prometheus.query(t.Context(), q.expr); err != nil {
			t.Errorf("%s: %s: got %v, want no error", q.of, q.expr, err)
		} else if strings.HasPrefix(q.of, "panel ") {
			prometheus.await(t, q.expr) // wait, because a rate has no result before the second scrape
		}
		if name := served.strange(q); name != "" && name != ofAnAccount {
			t.Errorf("%s: %s: got no %s from the program, want it", q.of, q.expr, name)
		}
	}
	wantRules(t, prometheus)
	if results, err := prometheus.query(t.Context(), `sum by (route) (rate(matrixrtc_auth_requests_total{status="200"}[1m])) > 0`); err != nil || results == 0 {
		t.Errorf("rate of tokens under load: got %d results, %v, want at least one", results, err)
	}
}

// ofAnAccount is a metric that the service does not have in this test. Only a
// service that uses an account to ask who is joined has this metric.
const ofAnAccount = `matrixrtc_auth_health{of="account"}`

// wantRules checks that Prometheus evaluates the alerts without an error.
func wantRules(t *testing.T, p *server) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := p.get(t.Context(), "/api/v1/rules", nil, &answer); err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for _, group := range answer.Data.Groups {
		for _, rule := range group.Rules {
			loaded++
			if rule.Health != "ok" {
				t.Errorf("alert %s: got health %s (%s), want ok", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	if want := len(readAlerts(t)); loaded != want {
		t.Errorf("Prometheus has %d alerts, want %d", loaded, want)
	}
}

// process is the running service that Prometheus scrapes.
type process struct{ address, metrics string }

func startService(t *testing.T, around *deploytest.Around) process {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(deploytest.Build(t, "watched"))
	cmd.Env = append(around.Env, "PATH="+os.Getenv("PATH"), "LIVEKIT_STORE=memory", "LIVEKIT_JWT_BIND=127.0.0.1:0", "LIVEKIT_METRICS_BIND=127.0.0.1:0",
		"LIVEKIT_AS_TOKEN="+asToken, "LIVEKIT_HS_TOKEN="+hsToken, "LIVEKIT_HS_SERVER_NAME="+around.Home.Name().String(),
		"LIVEKIT_MAX_JOBS_PER_USER=1", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS=1",
		"LIVEKIT_CS_API_URL_OVERRIDES="+around.Home.Name().String()+"="+around.Home.URL())
	run(t, cmd, log)
	address := awaitLog(t, log, `msg=listening address=(\S+)`)
	around.Home.Register(matrixtest.Registered{
		ID: "rtc", SenderLocalpart: "rtc", Server: around.Home.Name().String(),
		ASToken: asToken, HSToken: hsToken, ProxyURL: "http://" + address,
	})
	return process{address, awaitLog(t, log, `msg="serving metrics" address=(\S+)`)}
}

// run starts cmd and writes its log to the file with the path log. It ends cmd
// after the test.
func run(t *testing.T, cmd *exec.Cmd, log string) {
	t.Helper()
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("%s:\n%.20000s", filepath.Base(cmd.Path), text)
		}
	})
}

func awaitLog(t *testing.T, log, pattern string) (group string) {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	deploytest.Until(t, func() error {
		text, err := os.ReadFile(log)
		if match := expression.FindSubmatch(text); match != nil {
			group = string(match[1])
			return nil
		}
		return errors.Join(err, fmt.Errorf("no %s in the log", pattern))
	})
	return group
}

// server is a running Prometheus.
type server struct{ url string }

func startPrometheus(t *testing.T, target string) *server {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: matrixrtc-auth
    static_configs: [{targets: [%q]}]
`, rules, target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	run(t, exec.Command("prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address), filepath.Join(dir, "log"))
	s := &server{"http://" + address}
	deploytest.Until(t, func() error { return s.get(t.Context(), "/api/v1/status/config", nil, nil) })
	return s
}

// get sends a request to Prometheus' API, and decodes the answer into v.
func (s *server) get(ctx context.Context, path string, values url.Values, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path+"?"+values.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var failure struct{ Error string }
	if resp.StatusCode != http.StatusOK {
		_ = json.NewDecoder(resp.Body).Decode(&failure)
		return fmt.Errorf("%s: %s", resp.Status, failure.Error)
	}
	if v == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// query evaluates an expression now, and returns the number of results.
func (s *server) query(ctx context.Context, expr string) (results int, err error) {
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	err = s.get(ctx, "/api/v1/query", url.Values{"query": {expr}}, &answer)
	return len(answer.Data.Result), err
}

// await waits until an expression has a result.
func (s *server) await(t *testing.T, expr string) {
	t.Helper()
	deploytest.Until(t, func() error {
		n, err := s.query(t.Context(), expr)
		if err == nil && n == 0 {
			err = fmt.Errorf("no result of %s", expr)
		}
		return err
	})
}

// served returns the service's metrics that Prometheus has scraped.
func (s *server) served(t *testing.T) served {
	t.Helper()
	var answer struct{ Data []map[string]string }
	if err := s.get(t.Context(), "/api/v1/series", url.Values{"match[]": {`{job="matrixrtc-auth"}`}}, &answer); err != nil {
		t.Fatal(err)
	}
	all := served{}
	for _, series := range answer.Data {
		labels := all[series["__name__"]]
		if labels == nil {
			labels = map[string][]string{}
			all[series["__name__"]] = labels
		}
		for label, value := range series {
			labels[label] = append(labels[label], value)
		}
	}
	return all
}
