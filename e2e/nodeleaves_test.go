//go:build redis

package e2e

import (
	"flag"
	"fmt"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
)

// clusterScene is a deployment with two LiveKit nodes.
type clusterScene struct {
	*scene
	cluster *cluster
}

// newClusterScene starts a deployment with two LiveKit nodes. If shared is set, the
// service keeps its jobs in LiveKit's Redis. If not, it has its own Redis.
func newClusterScene(t *testing.T, shared bool) *clusterScene {
	t.Helper()
	s := &scene{t: t, host: newHost(t)}
	ca := matrixtest.NewCA()
	s.home, s.remote = s.homeserver(ca), s.homeserver(ca)
	service := &stack.Service{Host: s.host}
	if _, err := service.Address(); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, s.host, service.URL()+"/sfu_webhook")
	s.sfu = c.nodes[0]
	redis := c.redis
	if !shared {
		redis = startRedis(t, s.host, "service-redis")
	}
	s.service = s.start(service, "service", key, map[string]string{
		"LIVEKIT_URL": c.URL(), "LIVEKIT_STORE": "redis", "LIVEKIT_REDIS_URL": redis.URL(), "LIVEKIT_LOG_LEVEL": "debug",
		// The service asks LiveKit every 3 s who is in the room. Each fourth time it
		// also asks the nodes about each participant. The short interval makes this
		// happen soon.
		"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "3",
	})
	return &clusterScene{s, c}
}

func startRedis(t *testing.T, host *stack.Host, name string) *stack.Redis {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	redis := &stack.Redis{Host: host, Program: program, Name: name}
	startPart(t, name, redis)
	return redis
}

// party is a participant of a call. The participant's client has its own process.
type party struct {
	member
	client *stack.Client
}

// calls makes Alice and Bob join a call, and returns the node that has the call.
func (s *clusterScene) calls() (alice, bob party, node int) {
	s.t.Helper()
	alice, bob = s.party("alice"), s.party("bob")
	for _, p := range []party{alice, bob} {
		p.fate("restarted", 10*time.Second)
	}
	return alice, bob, s.cluster.hosts(claims(s.t, s.user(s.home, "alice").legacy("/sfu/get", alice.room)).Video.Room)
}

func (s *clusterScene) party(name string) party {
	s.t.Helper()
	m, answer := s.delegate(name)
	return party{m, s.process(name, answer)}
}

// This flag makes each test of nodeLeaves run twice: with one shared Redis and with
// two.
var every = flag.Bool("every", false, "try LiveKit's nodes with a Redis of their own and with the service's, each time")

func TestNodeLeaves(t *testing.T) {
	t.Parallel()
	for i, c := range nodeLeaves {
		for _, shared := range []bool{false, true} {
			if !*every && shared != (i%2 == 1) {
				continue
			}
			t.Run(fmt.Sprintf("%s/one Redis %t", c.name, shared), func(t *testing.T) {
				t.Parallel()
				s := newClusterScene(t, shared)
				alice, bob, node := s.calls()
				c.check(s, alice, bob, node)
			})
		}
	}
}

// afterGrace is how long a test waits to see that the service sends no leave. In this
// time, the service can ask LiveKit four times (the fourth time, it also asks a node),
// and all grace periods after these questions can end.
const afterGrace = 40 * time.Second

// gone is the time limit for the leave of a member whose client died together with the
// node.
const gone = 60 * time.Second

// nodeLeaves are tests in which LiveKit fails during a call of two people. Each test
// checks which leaves the service sends.
var nodeLeaves = []struct {
	name  string
	check func(s *clusterScene, alice, bob party, node int)
}{
	{"node killed", func(s *clusterScene, alice, bob party, node int) {
		s.cluster.nodes[node].Kill()
		s.stay(afterGrace, alice, bob)
		s.inOneRoom(alice, bob, 1-node)
		s.leaves(alice, bob)
	}},
	{"node killed with a client", func(s *clusterScene, alice, bob party, node int) {
		bob.client.Kill()
		s.cluster.nodes[node].Kill()
		killed := time.Now()
		bob.fate("sent", gone)
		s.t.Logf("sent %v after the kill", time.Since(killed).Round(time.Second))
		s.stay(20*time.Second, alice)
		s.leaves(alice)
	}},
	{"node drained", func(s *clusterScene, alice, bob party, node int) {
		s.cluster.nodes[node].Drain()
		s.stay(afterGrace, alice, bob)
		s.leaves(alice, bob)
		select {
		case <-s.cluster.nodes[node].Exited():
		case <-time.After(30 * time.Second):
			s.t.Error("the drained node ended before its participants left")
		}
	}},
	{"node cut off and back", func(s *clusterScene, alice, bob party, node int) {
		s.cluster.lines[node].Cut()
		s.stay(20*time.Second, alice, bob)
		s.cluster.lines[node].Restore()
		s.stay(afterGrace, alice, bob)
		s.leaves(alice, bob)
	}},
	{"node restarted", func(s *clusterScene, alice, bob party, node int) {
		s.cluster.nodes[node].Kill()
		if err := s.cluster.nodes[node].Start(within(s.t, 20*time.Second)); err != nil {
			s.t.Fatal(err)
		}
		s.stay(afterGrace, alice, bob)
		s.leaves(alice, bob)
	}},
	{"Redis emptied", func(s *clusterScene, alice, bob party, node int) {
		if err := s.cluster.redis.Flush(within(s.t, 5*time.Second)); err != nil {
			s.t.Fatal(err)
		}
		s.stay(afterGrace, alice, bob)
		s.leaves(alice, bob)
	}},
	{"Redis restarted empty", func(s *clusterScene, alice, bob party, node int) {
		s.restartRedis("")
		s.stay(afterGrace, alice, bob)
		s.leaves(alice, bob)
	}},
	{"Redis restarted from an old file", func(s *clusterScene, alice, bob party, node int) {
		carol := s.party("carol")
		carol.fate("restarted", 10*time.Second)
		if err := s.cluster.redis.Save("saved"); err != nil {
			s.t.Fatal(err)
		}
		dave := s.party("dave") // Dave joins after Redis has saved its data, so the saved file lacks him
		dave.fate("restarted", 10*time.Second)
		if err := carol.client.Stop(); err != nil {
			s.t.Fatal(err)
		}
		carol.fate("sent", 5*time.Second)
		s.restartRedis("saved")
		s.stay(afterGrace, alice, bob, dave)
		s.leaves(alice, bob, dave)
	}},
}

func (s *clusterScene) restartRedis(saved string) {
	s.t.Helper()
	err := s.cluster.redis.Stop()
	if err == nil {
		err = s.cluster.redis.Restore(saved)
	}
	if err == nil {
		err = s.cluster.redis.Start(within(s.t, 10*time.Second))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// stay checks that nobody sends or cancels the leaves of these people for the duration
// d.
func (s *clusterScene) stay(d time.Duration, people ...party) {
	s.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, p := range people {
			if f := s.home.Fate(p.delayID); f.Over != "" {
				s.t.Fatalf("the leave %s of a member who is still there was sent (%+v)\nservice log:\n%s", p.delayID, f, s.service.Log().Tail(60))
			}
		}
	}
}

// inOneRoom checks that Alice and Bob have had a session on this node.
func (s *clusterScene) inOneRoom(alice, bob party, node int) {
	s.t.Helper()
	log := s.cluster.nodes[node].Log().String()
	for _, p := range []party{alice, bob} {
		if !regexp.MustCompile(`participant active.*` + regexp.QuoteMeta(p.id)).MatchString(log) {
			s.t.Errorf("%s has no session on node %d", p.id, node)
		}
	}
}

// This method makes people leave, and waits until the service has sent their leaves.
// If a node or Redis was lost, LiveKit may notice only after 19 s that a client has
// left.
func (s *clusterScene) leaves(people ...party) {
	s.t.Helper()
	for _, p := range people {
		if err := p.client.Stop(); err != nil {
			s.t.Errorf("%s: %v", p.id, err)
		}
		p.fate("sent", 40*time.Second)
	}
}
