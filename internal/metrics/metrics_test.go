package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/leave"
)

func scrape(t *testing.T, m metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics: got %d, want %v", w.Code, http.StatusOK)
	}
	return w.Body.String()
}

// TestNodesBeginAtNone: what has not happened yet is counted, too, so that the first
// time is an increase.
func TestNodesBeginAtNone(t *testing.T) {
	got := scrape(t, metrics.New("1"))
	for _, answer := range leave.NodeResults() {
		if want := `matrixrtc_auth_sfu_node_answers_total{answer="` + answer + `"} 0`; !strings.Contains(got, want) {
			t.Errorf("metrics at the start: got no %s, want it", want)
		}
	}
}

func TestEverythingIsCounted(t *testing.T) {
	m := metrics.New("1.2.3")
	m.Request("/sfu/get", 200)
	m.Request("/sfu/get", 200)
	m.Request("", 404)
	m.AppServiceRequest("homeserver", "get_token", "")
	m.AppServiceRequest("federation", "get_token", "not_joined")
	m.Verified()
	m.HomeserverAnswered(time.Millisecond)
	m.VerificationFailed("dns")
	m.RoomEnsured(true)
	m.SFUAnswered(time.Millisecond, "")
	m.RoomEnsured(false)
	m.RoomEnsured(false)
	m.RoomFailed()
	m.SFUAnswered(time.Second, "no_node")
	m.RateLimited(metrics.UserRefused)
	m.NodeAsked(leave.NodeGone)
	m.Watch(func() metrics.Snapshot {
		return metrics.Snapshot{LogDropped: 7, Jobs: map[string]float64{"connected": 3}}
	})
	m.MembershipAsked(metrics.Unknown)
	m.Removed("push")
	m.NotRemoved(metrics.HeldByBrake)
	m.MembershipLost()
	m.Swept(3 * time.Second)

	got := scrape(t, m)
	for _, want := range []string{
		`matrixrtc_auth_requests_total{route="/sfu/get",status="200"} 2`,
		`matrixrtc_auth_requests_total{route="",status="404"} 1`,
		`matrixrtc_auth_appservice_requests_total{cause="ok",endpoint="get_token",via="homeserver"} 1`,
		`matrixrtc_auth_appservice_requests_total{cause="not_joined",endpoint="get_token",via="federation"} 1`,
		`matrixrtc_auth_verifications_total{cause="ok"} 1`,
		`matrixrtc_auth_verifications_total{cause="dns"} 1`,
		`matrixrtc_auth_homeserver_seconds_count 1`,
		`matrixrtc_auth_sfu_seconds_count 2`,
		`matrixrtc_auth_sfu_failures_total{cause="no_node"} 1`,
		`matrixrtc_auth_leave_jobs{state="connected"} 3`,
		`matrixrtc_auth_sfu_node_answers_total{answer="gone"} 1`,
		`matrixrtc_auth_rooms_total{result="created"} 1`,
		`matrixrtc_auth_rooms_total{result="saved"} 2`,
		`matrixrtc_auth_rooms_total{result="failed"} 1`,
		`matrixrtc_auth_rate_limited_total{kind="user"} 1`,
		`matrixrtc_auth_rate_limited_total{kind="address"} 0`,
		`matrixrtc_auth_membership_questions_total{answer="unknown"} 1`,
		`matrixrtc_auth_membership_questions_total{answer="joined"} 0`,
		`matrixrtc_auth_membership_removals_total{reason="push"} 1`,
		`matrixrtc_auth_membership_removals_total{reason="sweep"} 0`,
		`matrixrtc_auth_membership_removals_failed_total{cause="brake"} 1`,
		`matrixrtc_auth_membership_removals_failed_total{cause="sfu"} 0`,
		`matrixrtc_auth_membership_overflow_total 1`,
		`matrixrtc_auth_membership_sweep_seconds_bucket{le="5"} 1`,
		`matrixrtc_auth_membership_sweep_seconds_bucket{le="2.5"} 0`,
		`matrixrtc_auth_build_info{goversion="go1.`,
		`version="1.2.3"} 1`,
		`matrixrtc_auth_log_lines_dropped_total 7`,
		`go_goroutines `,
		`process_resident_memory_bytes `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("metrics: got\n%s\nwant %s in it", got, want)
		}
	}
}

func TestOnlyMetricsAreServed(t *testing.T) {
	for request, want := range map[string]int{"GET /": 404, "GET /debug/pprof/": 404, "POST /metrics": 405} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			w := httptest.NewRecorder()
			metrics.New("").Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != want {
				t.Errorf("%s: %d, want %d", request, w.Code, want)
			}
		})
	}
}

func TestZeroCountsNothing(t *testing.T) {
	var m metrics.Metrics
	allocs := testing.AllocsPerRun(100, func() {
		m.Request("/", 200)
		m.Verified()
		m.HomeserverAnswered(1)
		m.VerificationFailed("dns")
		m.RoomEnsured(true)
		m.SFUAnswered(1, "no_node")
		m.RoomFailed()
		m.RateLimited(metrics.UserRefused)
		m.LeaveAction("send", "ok", 1)
		m.Claimed(1)
		m.MembershipAsked(metrics.Joined)
		m.Removed("join")
		m.NotRemoved(metrics.SFUFailed)
		m.MembershipLost()
		m.Swept(1)
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}
