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

	"matrixrtc-auth/sfu"
)

const (
	stormPeople = 2_000
	stormTime   = 5 * time.Second // in which all of them come
	// stormRoom is the conference's.
	stormRoom = scaleRooms
)

// entry is what one who came to the conference met with.
type entry struct {
	token, webhook time.Duration
	retried        bool // on another replica: the connection had ended
	err            error
}

// storm has a conference start: each asks for a token and hands over a leave,
// joins, and is reported. One replica is killed meanwhile.
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
	_ = killed.stop() // it has ended
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
	retried := 0
	for _, e := range entries {
		if e.err != nil {
			w.fault("somebody did not come in: %v", e.err)
		}
		if e.retried {
			retried++
		}
		tokens, webhooks = append(tokens, e.token), append(webhooks, e.webhook)
	}
	slices.Sort(tokens)
	slices.Sort(webhooks)
	p99 := percentile(tokens, 99)
	return fmt.Sprintf("A conference of %d starts within %v, with all that besides; one of the %d replicas is killed in the middle. "+
		"All were in after %.1f s, and seen by the service after %.1f s; %d asked a second replica, because the connection to the first had ended.\n\n%s",
		stormPeople, stormTime, scaleReplicas, took.Seconds(), seen.Seconds(), retried, table(
			[]string{"", "50 of 100", "99 of 100", "longest", "budget", ""},
			[]string{"a token, with a leave handed over (ms)", ms(percentile(tokens, 50)), ms(p99), ms(tokens[len(tokens)-1]),
				fmt.Sprintf("99 of 100 within %d", mostTokenTime.Milliseconds()), verdict(p99 <= mostTokenTime)},
			[]string{"a webhook (ms)", ms(percentile(webhooks, 50)), ms(percentile(webhooks, 99)), ms(webhooks[len(webhooks)-1]), "", ""},
		)) + fmt.Sprintf("\nRedis used %.2f s of a processor in it, the replicas %.2f s.\n", redis, service)
}

// come is what one person's client and the SFU do.
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
		e.err = errors.New("the SFU has no room for the conference")
		return e
	}
	begin = time.Now()
	_, e.err = w.persist(ctx, i+1, "/sfu_webhook", func(addr string) (*http.Request, error) {
		return w.sfu.NewWebhook("http://"+addr, joined).WithContext(ctx), nil
	})
	e.webhook = time.Since(begin)
	return e
}

// persist asks the replica whose turn it is, and if the connection ends without
// an answer the next.
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
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s: %s %s", req.URL.Path, resp.Status, answer)
	}
	return false, nil
}
