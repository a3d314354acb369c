package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// heavy is a lock for tests that keep the processors busy. A test holds the
// lock while it does so. So there is only one such test at any time.
var heavy sync.Mutex

// TestRoomEnds checks a call of 2,000 members that ends for all of them at the
// same time. Meanwhile, restarts for members of another call must not be late.
// The test allows 200 requests per second to the homeserver. With the default of
// 10 requests per second, sending the 2,000 leaves would take 200 s.
func TestRoomEnds(t *testing.T) {
	t.Parallel()
	const crowd, others, delay = 2000, 50, 24 * time.Second
	w := newWorld(t, "LIVEKIT_DELAYED_EVENT_RATE", "200")
	heavy.Lock()
	w.start()
	staying := w.mustEnter(others, "small", delay)
	leaving := w.mustEnter(crowd, "large", time.Hour)
	heavy.Unlock()
	await(t, time.Minute, "that all are seen", func() bool {
		w.mustHold()
		return w.restarted() == crowd+others
	})
	began := time.Now()
	each(crowd, func(i int) { leaving[i].leave(deleted) })
	reported := time.Since(began)
	w.awaitSent(time.Minute)
	t.Logf("%d leaves were reported within %v and sent within %v; the longest time without a restart of the others: %v", crowd, reported, time.Since(began), latest(w, staying))
	w.hold(delay / 2)
	if late := latest(w, staying); late > delay*7/8 {
		t.Errorf("a leave with a delay of %v: got %v without a restart, want at most %v", delay, late, delay*7/8)
	}
}

// TestWebhookFlood checks that a flood of webhooks does not freeze the service.
// Each of 64 connections reports each of 800 joins 8 times. That makes 409,600
// webhooks, unless floodTime ends the flood earlier.
//
// The service would freeze if the job of a leave waited for a queue that the
// flood has filled. To provoke this, one job must get more reports than a queue
// can hold. So every connection sends all reports for one join before it
// reports the next join.
func TestWebhookFlood(t *testing.T) {
	t.Parallel()
	heavy.Lock()
	defer heavy.Unlock()
	const jobs, connections, times = 800, 64, 8
	w := newWorld(t)
	s := w.start()
	var reports [][]byte
	for _, m := range w.mustEnter(jobs, "call", time.Hour) {
		reports = append(reports, m.joinedReport(s))
	}
	f := flood{reports: reports, address: strings.TrimPrefix(s.url, "http://"), times: times, end: time.Now().Add(floodTime)}
	over := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(over)
		f.run(t, connections)
	}()
	delegated := w.delegateUntil(over, s)
	sent := f.taken.Load() + f.refused.Load()
	t.Logf("%d webhooks, for %d of %d jobs, of which the service refused %d, in %v, with %d delegations",
		sent, sent/(connections*times), jobs, f.refused.Load(), time.Since(began), delegated)
	await(t, waitTime, "that every job is connected", func() bool { return w.restarted() == jobs+delegated })
	w.mustHold()
	all := w.all()
	each(len(all), func(i int) { all[i].leave(broke) })
	// On a busy machine the SFU may answer late, and sending all leaves may take
	// long. So the loop waits for one leave at a time. A frozen service would send
	// none.
	for left := w.unsent(); left > 0; left = w.unsent() {
		await(t, 2*time.Minute, "that one more leave is sent", func() bool { w.mustHold(); return w.unsent() < left })
	}
}

// floodTime bounds how long TestWebhookFlood sends webhooks, because a slow machine
// takes long for all of them.
const floodTime = time.Minute

// joinedReport returns the webhook for m's join, as the bytes of an HTTP
// request.
func (m *member) joinedReport(s *service) []byte {
	var b bytes.Buffer
	if err := m.w.sfu.NewWebhook(s.url+"/sfu_webhook", m.w.sfu.Joined(m.room, m.identity)).Write(&b); err != nil {
		panic(err) // impossible: a buffer accepts every write
	}
	return b.Bytes()
}

// delegateUntil delegates ten leaves per second and checks /healthz. It does this
// until the channel over is closed. It returns how many leaves it delegated.
func (w *world) delegateUntil(over chan struct{}, s *service) (n int) {
	w.t.Helper()
	tick := time.NewTicker(time.Second / 10)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return n
		case <-tick.C:
		}
		w.mustEnter(1, "another", time.Hour)
		n++
		// On a busy machine, a write to the disk can take longer than one second,
		// which is the service's limit. Then the status is "degraded".
		if health := w.health(s); health != "ok" && health != "degraded" {
			w.t.Errorf("/healthz: got %s, want ok or degraded", health)
		}
	}
}

// flood sends every report several times on every connection.
type flood struct {
	reports        [][]byte
	times          int
	end            time.Time // when the flood ends, even if reports are left
	address        string
	taken, refused atomic.Int64
}

func (f *flood) run(t *testing.T, connections int) {
	var running sync.WaitGroup
	for range connections {
		running.Go(func() {
			if err := f.send(); err != nil {
				t.Errorf("send: got %v, want no error", err)
			}
		})
	}
	running.Wait()
}

func (f *flood) send() error {
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for _, report := range f.reports {
		if time.Now().After(f.end) {
			return nil
		}
		for range f.times {
			if err := f.exchange(conn, answers, report); err != nil {
				return err
			}
		}
	}
	return nil
}

// exchange sends one report and reads the answer. The answer 503 is not a failure.
func (f *flood) exchange(conn net.Conn, answers *bufio.Reader, report []byte) error {
	if err := conn.SetDeadline(time.Now().Add(waitTime)); err != nil {
		return err
	}
	if _, err := conn.Write(report); err != nil {
		return err
	}
	status, err := readAnswer(answers)
	switch {
	case err != nil:
		return err
	case status == "200":
		f.taken.Add(1)
	case status == "503":
		f.refused.Add(1)
	default:
		return fmt.Errorf("the answer to a webhook has the status %s, want 200 or 503", status)
	}
	return nil
}

// readAnswer reads one answer and returns its status. It does not use
// http.ReadResponse, because that would take most of the test's time.
func readAnswer(r *bufio.Reader) (status string, err error) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		switch {
		case bytes.HasPrefix(line, []byte("HTTP/1.1 ")):
			status = string(line[9:12])
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if _, err := fmt.Sscan(string(line[16:]), &length); err != nil {
				return "", err
			}
		case len(line) == 2:
			_, err := r.Discard(length)
			return status, err
		}
	}
}
