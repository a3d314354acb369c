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

// replicated is a deployment of three services with one Redis. The first gives
// tokens to clients, the second hears from the SFU, and the third from the
// homeserver.
type replicated struct {
	t        *testing.T
	side     *side // its service is the third
	services []*stack.Service
	owner    *account.Account
	room     string
}

// TestReplicas: whichever replica gives a token, hears of a participant and of an
// event, whoever is not in the Matrix room is removed, once.
func TestReplicas(t *testing.T) {
	t.Parallel() // it waits for most of its time
	r := newReplicated(t)
	banned := r.member(t, "banned")
	t.Run("ban", func(t *testing.T) {
		act(t, r.owner, r.room, "ban", banned.Account)
		isOut(t, banned.session, time.Minute)
		r.isRemoved(t, banned, 1)
	})
	t.Run("old token", func(t *testing.T) {
		session, err := participant.Join(within(t, time.Minute), r.side.sfu.URL(), banned.token)
		if err == nil { // else they were removed while they joined
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
	r.isRemoved(t, banned, 2) // all sweeps since have found nobody
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

// member is a new user in the call, with a token of the first service.
func (r *replicated) member(t *testing.T, name string) *member {
	t.Helper()
	a := r.side.register(t, name)
	act(t, r.owner, r.room, "invite", a)
	must(t, a.Join(within(t, time.Minute), r.room, r.side.name.String()))
	answer := openID(t, r.services[0], a, r.room)
	wants(t, name+"'s token", answer, 200, "")
	return r.side.enterWith(t, a, r.room, answer.JWT)
}

// isRemoved waits until the services have removed the member n times in all, and
// checks that it is not more. It returns the last removal.
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
	for _, one := range all { // they are in the order of the services
		if one.at > last.at {
			last = one
		}
	}
	return last
}

// redisServer is the path of the program, which e2e/install.sh installs.
func redisServer(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	must(t, err)
	return program
}
