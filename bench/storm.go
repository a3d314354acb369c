package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/livekit/protocol/livekit"

	"matrixrtc-auth/sfu"
)

const (
	stormPeople = 2_000
	stormTime   = 5 * time.Second // the time within which all stormPeople join
	// stormRoom is the number of the room in which the conference takes place.
	stormRoom = scaleRooms
)

// entry holds the results for one person who joined the conference.
type entry struct {
	token, webhook time.Duration
	retried        bool // a replica ended the connection without an answer, so the client asked another replica
	again          bool // the service answered 503, so LiveKit sent the webhook again
	err            error
}

// storm starts a conference. Each person asks for a token and hands over a
// leave. Then the person joins the SFU, and the SFU reports the join. One
// replica is killed in the middle.
func (w *leaveWorld) storm(ctx context.Context, r *redisServer) (string, error) {
	w.say("%d people come within %v, and one replica is killed", stormPeople, stormTime)
	before, err := w.usage(r)
	if err != nil {
		return "", err
	}
	entries := make([]entry, stormPeople)
	var running sync.WaitGroup
	begin := time.Now()
	for i := range stormPeople {
		running.Go(func() {
			at := begin.Add(stormTime * time.Duration(i) / stormPeople)
			if err := pause(ctx, time.Until(at)); err != nil {
				entries[i].err = err
				return
			}
			entries[i] = w.come(ctx, i)
		})
	}
	if err := pause(ctx, stormTime/2); err != nil {
		return "", err
	}
	killed := w.replicas[len(w.replicas)-1]
	beforeKill, err := cpuTime(killed.pid)
	if err != nil {
		return "", err
	}
	if err := syscall.Kill(killed.pid, syscall.SIGKILL); err != nil {
		return "", err
	}
	running.Wait()
	took := time.Since(begin)
	w.replicas = w.replicas[:len(w.replicas)-1]
	_ = killed.stop() // stop returns an error, because the replica was killed
	after, err := w.usage(r)
	if err != nil {
		return "", err
	}
	if err := w.awaitConnected(ctx, longLeaves+shortLeaves+stormPeople); err != nil {
		return "", err
	}
	seen := time.Since(begin)
	if err := pause(ctx, afterStorm); err != nil {
		return "", err
	}
	return w.stormTable(entries, took, seen, (after.redis - before.redis).Seconds(), (after.service - before.service + beforeKill).Seconds()), nil
}

func (w *leaveWorld) stormTable(entries []entry, took, seen time.Duration, redis, service float64) string {
	var tokens, webhooks []time.Duration
	retried, again := 0, 0
	var failed []error
	for _, e := range entries {
		if e.err != nil {
			failed = append(failed, e.err)
		}
		if e.retried {
			retried++
		}
		if e.again {
			again++
		}
		tokens, webhooks = append(tokens, e.token), append(webhooks, e.webhook)
	}
	if len(failed) > 0 {
		w.fault("%d people did not get into the conference; the first fault is: %v", len(failed), failed[0])
	}
	slices.Sort(tokens)
	slices.Sort(webhooks)
	p99 := percentile(tokens, 99)
	return fmt.Sprintf("Then a conference of %d people starts within %v, while the leaves from before are restarted as usual. In the middle of it, one of the %d replicas is killed. "+
		"All people were in the conference after %.1f s, and the service had seen all of them on LiveKit after %.1f s. %d people asked a second replica, because the connection to the first had ended. %d webhooks were sent again.\n\n%s",
		stormPeople, stormTime, scaleReplicas, took.Seconds(), seen.Seconds(), retried, again, table(
			[]string{"time for", "half had it within", "99 % had it within", "longest", "budget", "verdict"},
			[]string{"a token, with the delegation of a leave (ms)", ms(percentile(tokens, 50)), ms(p99), ms(tokens[len(tokens)-1]),
				fmt.Sprintf("99 %% within %d", mostTokenTime.Milliseconds()), verdict(p99 <= mostTokenTime)},
			[]string{"the answer to a webhook (ms)", ms(percentile(webhooks, 50)), ms(percentile(webhooks, 99)), ms(webhooks[len(webhooks)-1]), "", ""},
		)) + fmt.Sprintf("\nDuring the start of the conference, Redis used %.2f s of CPU time, and the replicas used %.2f s.\n", redis, service)
}

// come does the work of the client and of the SFU when person i joins.
func (w *leaveWorld) come(ctx context.Context, i int) (e entry) {
	n := longLeaves + shortLeaves + i
	user := fmt.Sprint("guest", i)
	openID := w.homeserver.IssueToken(w.homeserver.UserID(user))
	w.homeserver.Schedule(delayID(n), time.Hour)
	body := w.tokenBody(stormRoom, "DEVICE", openID, delayID(n), time.Hour)
	begin := time.Now()
	e.retried, e.err = w.persist(ctx, i, "/sfu/get", func(addr string) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr, bytes.NewReader([]byte(body)))
	})
	e.token = time.Since(begin)
	if e.err != nil {
		return e
	}
	room, identity := roomOf(stormRoom), sfu.Identity(w.homeserver.UserID(user)+":DEVICE")
	joined := w.sfu.Join(room, identity)
	if joined == nil {
		e.err = errors.New("the SFU does not have the conference's room")
		return e
	}
	begin = time.Now()
	e.again, e.err = w.reportJoined(ctx, i+1, joined)
	e.webhook = time.Since(begin)
	return e
}

// reportJoined sends the webhook of a join. Like LiveKit, it sends the webhook
// again while the service answers 503. There are at most five tries.
func (w *leaveWorld) reportJoined(ctx context.Context, turn int, joined *livekit.WebhookEvent) (again bool, err error) {
	const tries = 5
	for range tries {
		_, err = w.persist(ctx, turn, "/sfu_webhook", func(addr string) (*http.Request, error) {
			return w.sfu.NewWebhook("http://"+addr, joined).WithContext(ctx), nil
		})
		if !errors.Is(err, errUnavailable) {
			return again, err
		}
		again = true
		if err := pause(ctx, time.Second); err != nil {
			return again, err
		}
	}
	return again, err
}

// errUnavailable is the error for an answer with status 503.
var errUnavailable = errors.New("503")

// persist sends a request to a replica. If that replica ends the connection
// without an answer, persist sends the request to the next replica.
func (w *leaveWorld) persist(ctx context.Context, turn int, path string, request func(addr string) (*http.Request, error)) (retried bool, err error) {
	for try := range 2 {
		var req *http.Request
		if req, err = request(w.addrs[(turn+try)%len(w.addrs)] + path); err != nil {
			return retried, err
		}
		var ended bool
		if ended, err = w.exchange(req); !ended {
			return retried, err
		}
		retried = true
	}
	return retried, err
}

func (w *leaveWorld) exchange(req *http.Request) (ended bool, err error) {
	resp, err := w.client.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return true, err
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return false, fmt.Errorf("the service refuses %s: %w: %s", req.URL.Path, errUnavailable, answer)
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("the service answers %s with %s: %s", req.URL.Path, resp.Status, answer)
	}
	return false, nil
}
