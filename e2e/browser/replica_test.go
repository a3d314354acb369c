package browser

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// TestReplicas tests three services behind nginx that share one Redis. The tests kill
// browsers and services. The services must not send the leave of a person who is in the
// call. They must send the leave of a person who is gone.
func TestReplicas(t *testing.T) {
	r := newReplicas(t)
	subtest(t, r.Stack, "tab closed", func(t *testing.T) {
		c := newCall(t, r.Stack, stack.Compatibility)
		c.alice.closeTab()
		c.isSent(2 * time.Second)
	})
	subtest(t, r.Stack, "browser killed", func(t *testing.T) {
		c := newCall(t, r.Stack, stack.Compatibility)
		c.alice.chromium.Kill()
		c.isSent(30 * time.Second)
	})
	subtest(t, r.Stack, "replica killed", func(t *testing.T) {
		c := newCall(t, r.Stack, stack.Compatibility)
		r.kill(t, r.claimer(t, c.leave))
		c.stays(15 * time.Second) // longer than the leases of a dead replica last
		c.alice.closeTab()
		c.isSent(5 * time.Second)
	})
	subtest(t, r.Stack, "replica killed in a token request", func(t *testing.T) { r.killInRequest(t) })
}

// replicas is a stack with three services. Each service reaches the homeserver through
// its own relay.
type replicas struct {
	*stack.Stack
	lines []*stack.TCPRelay
}

func newReplicas(t *testing.T) *replicas {
	r := &replicas{lines: make([]*stack.TCPRelay, 3)}
	r.Stack = newStack(t, stack.SubDomains(stack.Domain), func(s *stack.Stack) {
		lent(s)
		s.Replicas = len(r.lines)
		s.EachEnv = func(replica int) (map[string]string, error) {
			homeserver, err := s.Synapse.Address()
			line := &stack.TCPRelay{Host: s.Host, Target: homeserver}
			if err == nil {
				err = line.Start()
			}
			if err != nil {
				return nil, err
			}
			t.Cleanup(line.Stop)
			r.lines[replica] = line
			return map[string]string{
				"LIVEKIT_FEDERATION_URL_OVERRIDES": s.Layout.ServerName + "=http://" + line.Address(),
			}, nil
		}
	})
	return r
}

// claimer returns the service that claimed the leave last, according to the logs.
func (r *replicas) claimer(t *testing.T, leave string) *stack.Service {
	t.Helper()
	claim := regexp.MustCompile(`(?m)^.* msg="leave: job claimed" .*delay_hash=` + regexp.QuoteMeta(leave) + ` .*$`)
	claims := claim.FindAllString(serviceLog(r.Stack), -1)
	if len(claims) == 0 {
		t.Fatalf("the logs: got no claim of %s, want one", leave)
	}
	last := claims[len(claims)-1]
	i := slices.IndexFunc(r.Services, func(s *stack.Service) bool { return strings.Contains(s.Log().String(), last) })
	t.Logf("%s claimed last: %s", r.Services[i].Name, last)
	return r.Services[i]
}

// This method makes a service the last one that has claimed Alice's leave. To do this,
// it sends the service a webhook about the end of an unknown session of Alice. The
// service then claims the leave and asks the SFU whether Alice is in the room.
func (r *replicas) claims(c *call, service *stack.Service) {
	c.t.Helper()
	key := r.SFU.Keys[0]
	sender := sfutest.New(sfu.Key{ID: key.ID, Secret: secret.New(key.Secret)})
	late := &livekit.WebhookEvent{
		Event: "participant_left", Id: "EV_" + rand.Text(), CreatedAt: time.Now().Unix(),
		Room:        &livekit.Room{Name: livekitRoom(c.room)},
		Participant: &livekit.ParticipantInfo{Identity: c.identity(c.alice), Sid: "PA_unknown"},
	}
	c.eventually(5*time.Second, service.Name+" claims the leave", func() (bool, string) {
		if status, err := sender.SendWebhook(service.URL()+"/sfu_webhook", late); err != nil || status != http.StatusOK {
			return false, fmt.Sprintf("the report is answered with %d, %v", status, err)
		}
		last := r.claimer(c.t, c.leave)
		return last == service, last.Name + " was the last"
	})
}

// identity returns the person's identity on the SFU.
func (c *call) identity(p *person) string {
	c.t.Helper()
	there := participants(c.t, c.stack, c.room)
	i := slices.IndexFunc(there, func(one *livekit.ParticipantInfo) bool { return strings.HasPrefix(one.GetIdentity(), p.UserID) })
	if i < 0 {
		c.t.Fatalf("%s is not among %v", p.name, there)
	}
	return there[i].GetIdentity()
}

// kill kills a service, and starts it again when the test ends.
func (r *replicas) kill(t *testing.T, service *stack.Service) {
	service.Kill()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), starting) // the context of the test has already ended
		defer cancel()
		if err := service.Start(ctx); err != nil {
			t.Errorf("Start: got %v, want no error", err)
		}
	})
}

// killInRequest makes Carol join the call. It kills the service that is asking the
// homeserver about Carol's token, and that has also claimed Alice's leave. Carol's
// client gets an error, and asks again.
func (r *replicas) killInRequest(t *testing.T) {
	carol := newPerson(t, r.Stack, "carol")
	c := &call{t: t, stack: r.Stack, mode: stack.Compatibility, alice: newPerson(t, r.Stack, "alice"), bob: newPerson(t, r.Stack, "bob")}
	c.begin(carol)
	carol.startBrowser()
	for _, line := range r.lines {
		line.Cut()
	}
	carol.call(c.room, true)
	var asking int
	c.eventually(joining, "a service asks who Carol is", func() (bool, string) {
		asking = slices.IndexFunc(r.lines, func(line *stack.TCPRelay) bool { return line.Held() > 0 })
		return asking >= 0, ""
	})
	r.claims(c, r.Services[asking])
	before := r.failures(t)
	r.kill(t, r.Services[asking])
	for _, line := range r.lines {
		line.Restore()
	}
	carol.sees(3)
	carol.isMember(c.bob, c.room, c.mode)
	r.failedOnce(t, r.failures(t)[len(before):])
	c.stays(15 * time.Second)
	c.alice.closeTab()
	c.isSent(5 * time.Second)
}

// failedOnce checks which requests failed. There may be one failed request to /sfu/get
// and one to /get_token, both by Carol, and at least one must have failed. Element Call
// makes both requests at the same time, so the killed service may have had both.
func (r *replicas) failedOnce(t *testing.T, failed []string) {
	t.Helper()
	request := regexp.MustCompile(`"POST (/sfu/get|/get_token) `)
	times := map[string]int{}
	for _, line := range failed {
		if match := request.FindStringSubmatch(line); match != nil {
			times[match[1]]++
		}
	}
	if len(failed) == 0 || len(times) != len(failed) {
		t.Errorf("nginx: got the failures %q, want each of Carol's requests for a token once, and nothing else", failed)
	}
}

// failures returns the lines of nginx's log about requests that got the status 502.
func (r *replicas) failures(t *testing.T) []string {
	t.Helper()
	log, err := r.Nginx.AccessLog()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^.* HTTP/\S+" 502 .*$`).FindAllString(log, -1)
}
