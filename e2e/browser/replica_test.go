package browser

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// Three services behind nginx share one Redis, and each of them may die: nobody
// is thrown out, and whoever vanishes leaves.
func TestReplicas(t *testing.T) {
	r := newReplicas(t)
	t.Run("tab closed", func(t *testing.T) {
		c := newCall(t, r.Stack, stack.Compatibility)
		c.alice.closeTab()
		c.isSent(2 * time.Second)
	})
	t.Run("browser killed", func(t *testing.T) {
		c := newCall(t, r.Stack, stack.Compatibility)
		c.alice.chromium.Kill()
		c.isSent(30 * time.Second)
	})
	t.Run("replica killed", func(t *testing.T) {
		c := newCall(t, r.Stack, stack.Compatibility)
		r.kill(t, r.lastWith(t, c.leave))
		c.stays(15 * time.Second) // longer than a replica holds what it died with
		c.alice.closeTab()
		c.isSent(5 * time.Second)
	})
	t.Run("replica killed in a token request", func(t *testing.T) { r.killInRequest(t) })
}

// replicas are a stack with three services, each of which has a line of its
// own to where homeservers say who somebody is.
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

// lastWith returns the service that was the last to say something of a leave.
func (r *replicas) lastWith(t *testing.T, leave string) *stack.Service {
	t.Helper()
	lines := strings.Split(serviceLog(r.Stack), "\n")
	slices.Reverse(lines)
	i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, leave) })
	if i < 0 {
		t.Fatalf("no service says anything of %s", leave)
	}
	for _, service := range r.Services {
		if strings.Contains(service.Log().String(), lines[i]) {
			return service
		}
	}
	t.Fatalf("no service has said %q", lines[i])
	return nil
}

// kill ends a service for the rest of the test.
func (r *replicas) kill(t *testing.T, service *stack.Service) {
	service.Kill()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), starting) // t's has ended
		defer cancel()
		if err := service.Start(ctx); err != nil {
			t.Error(err)
		}
	})
}

// killInRequest kills a service that asks a homeserver who Carol is. Her client
// gets an error once, and asks again.
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
	eventually(t, joining, "a service asks who Carol is", func() (bool, string) {
		asking = slices.IndexFunc(r.lines, func(line *stack.TCPRelay) bool { return line.Held() > 0 })
		return asking >= 0, ""
	})
	before := r.failures(t)
	r.kill(t, r.Services[asking])
	for _, line := range r.lines {
		line.Restore()
	}
	carol.sees(3)
	carol.isMember(c.bob, c.room, c.mode)
	if n := r.failures(t) - before; n == 0 {
		t.Error("no request failed: this shows nothing")
	} else {
		t.Logf("%d requests failed", n)
	}
	c.stays(15 * time.Second)
	c.alice.closeTab()
	c.isSent(5 * time.Second)
}

// failures counts the requests for which nginx found no service.
func (r *replicas) failures(t *testing.T) int {
	t.Helper()
	log, err := r.Nginx.AccessLog()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(log, `HTTP/1.1" 502 `) + strings.Count(log, `HTTP/2.0" 502 `)
}
