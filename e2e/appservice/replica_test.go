package appservice

import (
	"fmt"
	"maps"
	"os/exec"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
)

// replicated is a deployment of three services that share one Redis. The first service
// gives tokens to clients. The second gets the SFU's webhooks, and the third gets the
// homeserver's events.
type replicated struct {
	t        *testing.T
	side     *side // the homeserver, the SFU, and the third service
	services []*stack.Service
	owner    *account.Account
	room     string
}

// TestReplicas checks that a user who is not in the Matrix room is removed exactly
// once: only one of the services removes the user. The result must not depend on which
// service gave the token, got the webhook or got the event.
func TestReplicas(t *testing.T) {
	t.Parallel() // the test waits most of the time
	r := newReplicated(t)
	banned := r.member(t, "banned")
	t.Run("ban", func(t *testing.T) {
		act(t, r.owner, r.room, "ban", banned.Account)
		isOut(t, banned.session, time.Minute)
		r.isRemoved(t, banned, 1)
	})
	t.Run("old token", func(t *testing.T) {
		session, err := participant.Join(within(t, time.Minute), r.side.sfu.URL(), banned.token)
		if err == nil { // if the join failed, the service has already removed the user
			isOut(t, session, time.Minute)
		}
		last := r.isRemoved(t, banned, 2)
		t.Logf("the old token: on the SFU for %v", last.stayed)
		if last.stayed > joinLimit {
			t.Errorf("removal: got %+v, want it after %v at most", last, joinLimit)
		}
	})
	t.Run("without the replica that hears of events", func(t *testing.T) {
		m := r.member(t, "swept")
		must(t, r.side.service.Stop())
		act(t, r.owner, r.room, "ban", m.Account)
		isOut(t, m.session, time.Minute)
		if last := r.isRemoved(t, m, 1); last.by != "sweep" {
			t.Errorf("removal: got %+v, want it by a sweep", last)
		}
	})
	r.isRemoved(t, banned, 2) // the number is still two, because later sweeps removed nobody
}

func newReplicated(t *testing.T) *replicated {
	t.Helper()
	w := newWorld(t)
	redis := &stack.Redis{Host: w.Host, Program: redisServer(t)}
	start(t, "redis", redis)
	r := &replicated{t: t}
	for i := range 2 {
		r.services = append(r.services, &stack.Service{Host: w.Host, Name: fmt.Sprintf("service-%d", i+1), Program: programs.Service})
		_, err := r.services[i].Address()
		must(t, err)
	}
	r.side = deploy(t, w, "first", deployment{
		push: true, webhook: r.services[1].URL() + "/sfu_webhook", additions: []string{quickly},
		env: map[string]string{
			"LIVEKIT_STORE": "redis", "LIVEKIT_REDIS_URL": redis.URL(),
			"LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": shortInterval,
		},
	})
	for i, service := range r.services {
		service.Env = maps.Clone(r.side.service.Env)
		delete(service.Env, "LIVEKIT_METRICS_BIND")
		start(t, fmt.Sprintf("service-%d", i+1), service)
	}
	r.services = append(r.services, r.side.service)
	r.owner = r.side.register(t, "owner")
	r.room = callRoom(t, r.owner)
	return r
}

// member makes a new user join the call with a token from the first service.
func (r *replicated) member(t *testing.T, name string) *member {
	t.Helper()
	a := r.side.register(t, name)
	act(t, r.owner, r.room, "invite", a)
	must(t, a.Join(within(t, time.Minute), r.room, r.side.name.String()))
	answer := openID(t, r.services[0], a, r.room)
	wants(t, name+"'s token", answer, 200, "")
	return r.side.enterWith(t, a, r.room, answer.JWT)
}

// isRemoved waits until the services together have removed the member n times, and
// fails if they remove the member more often. It returns the last removal.
func (r *replicated) isRemoved(t *testing.T, m *member, n int) removal {
	t.Helper()
	var all []removal
	eventually(t, time.Minute, "a service logs the removal", func() bool {
		all = removals(t, m.UserID, r.services...)
		return len(all) >= n
	})
	if len(all) != n {
		t.Fatalf("removals: got %+v, want %d", all, n)
	}
	last := all[0]
	for _, one := range all { // the removals are grouped by service, not sorted by time
		if one.at > last.at {
			last = one
		}
	}
	return last
}

// redisServer returns the path of redis-server, which e2e/install.sh installs.
func redisServer(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	must(t, err)
	return program
}
