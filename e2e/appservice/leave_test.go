package appservice

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/participant"
)

const (
	leaves     = 60               // the number of leaves at the same time
	leaveDelay = 18 * time.Second // the delay that Element Call schedules
)

// limited is Synapse's default rate limit for requests about delayed events. It applies
// to requests without an access token.
const limited = "rc_delayed_event_mgmt: {per_second: 1, burst_count: 5}"

// TestLeaves checks that the service restarts sixty leaves in time. The service uses
// its access token, because Synapse allows only one restart per second without a token.
// When a participant is gone, the service must send the participant's leave.
func TestLeaves(t *testing.T) {
	w := newWorld(t)
	s := newSide(t, w, "first", false, nil, limited)
	alice := s.register(t, "alice")
	room := callRoom(t, alice)
	members := make([]*participant.Participant, leaves)
	ids := make([]string, leaves)
	for i := range members {
		member := map[string]any{"member_id": fmt.Sprintf("m%d", i)}
		answer, _ := post(t, alice, stable+"/get_token", s.call(room, member))
		wants(t, "token", answer, 200, "")
		members[i] = join(t, s, answer.JWT)
		ids[i] = schedule(t, alice, room, fmt.Sprintf("_%s_m%d", alice.UserID, i))
		member["delay_id"] = ids[i]
		answer, _ = post(t, alice, stable+"/delegate_delayed_leave", s.call(room, member))
		wants(t, "delegation", answer, 200, "")
	}
	// After twice the delay, the homeserver has sent each leave that was not restarted
	// in time.
	time.Sleep(2 * leaveDelay)
	for i, id := range ids {
		if !isPending(t, s, alice, id) {
			t.Errorf("leave %d: got it sent, want it pending: its participant is there", i)
		}
	}
	if limited := regexp.MustCompile(`(?m)^.*restart.*limited.*$`).FindString(s.service.Log().String()); limited != "" {
		t.Errorf("got the refused restart %s, want none", limited)
	}
	if n := strings.Count(s.homeserver.Log().String(), "/restart?user_id="); n < leaves {
		t.Errorf("%d restarts were asked for as their owner, want at least %d", n, leaves)
	}
	noneWasLate(t, s)
	var leaving sync.WaitGroup
	for _, m := range members {
		leaving.Go(m.Leave)
	}
	leaving.Wait()
	gone := time.Now()
	for i, id := range ids {
		eventually(t, 15*time.Second, fmt.Sprintf("leave %d is sent", i), func() bool { return !isPending(t, s, alice, id) })
	}
	t.Logf("all leaves were sent within %v", time.Since(gone))
}

// schedule schedules a delayed event that ends the user's membership in a call, and
// returns the event's id.
func schedule(t *testing.T, a *account.Account, room, stateKey string) (id string) {
	t.Helper()
	var scheduled struct {
		DelayID string `json:"delay_id"`
	}
	must(t, a.Call(within(t, time.Minute), http.MethodPut, fmt.Sprintf("/_matrix/client/v3/rooms/%s/state/%s/%s?org.matrix.msc4140.delay=%d",
		url.PathEscape(room), account.CallMember, url.PathEscape(stateKey), leaveDelay.Milliseconds()), struct{}{}, &scheduled))
	return scheduled.DelayID
}

// isPending reports whether a delayed event of owner is still scheduled. The request
// has the service's token, so the homeserver does not limit it.
func isPending(t *testing.T, s *side, owner *account.Account, id string) bool {
	t.Helper()
	service := &account.Account{BaseURL: owner.BaseURL, AccessToken: s.registration.ASToken.Reveal()}
	err := service.Call(within(t, time.Minute), http.MethodGet, "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/"+
		url.PathEscape(id)+"?user_id="+url.QueryEscape(owner.UserID), nil, nil)
	if e, ok := errors.AsType[*account.Error](err); ok && e.Status == http.StatusNotFound {
		return false
	}
	must(t, err)
	return true
}

// late is the maximum number of seconds by which a restart may be late. The service
// restarts a delay of 18 s every 4.5 s. So at the restart, at least 18 - 4.5 - 5 = 8.5 s
// of the delay are left.
const late = "5"

// noneWasLate checks, in the service's metrics, that each restart began in time.
func noneWasLate(t *testing.T, s *side) {
	t.Helper()
	resp, err := http.Get("http://" + s.metrics + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	count := func(le string) string {
		found := regexp.MustCompile(`matrixrtc_auth_leave_lateness_seconds_bucket\{action="restart",le="` + regexp.QuoteMeta(le) + `"\} (\d+)`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("the metrics: got no restarts up to %s s, want some", le)
		}
		return string(found[1])
	}
	if all, inTime := count("+Inf"), count(late); all != inTime {
		t.Errorf("restarts within %s s of when they were due: got %s, want all %s", late, inTime, all)
	}
}
