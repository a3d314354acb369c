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

// heavy has one test at a time keep the processors busy.
var heavy sync.Mutex

// TestRoomEnds ends a call of 2,000 at once. The other restarts are not late
// for that. (At the default of 10 requests a second the leaves alone would take
// 200 s; the rate is raised so that the test is short, not so that there is
// enough of it.)
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
	t.Logf("%d leaves reported within %v, sent within %v; the others were at most %v without a restart", crowd, reported, time.Since(began), latest(w, staying))
	w.hold(delay / 2)
	if late := latest(w, staying); late > delay*7/8 {
		t.Errorf("a leave with a delay of %v: got %v without a restart, want at most %v", delay, late, delay*7/8)
	}
}

// TestWebhookFlood sends from 64 connections 8 times for each job that its
// participant has joined, or as often as fits into floodTime: 800 jobs are 400,000
// webhooks. Services have frozen for ever at less: a job that reports to
// itself through a queue which the flood has filled. It takes more reports for
// one job at one time than any queue is long, so all connections send those for
// one job before those for the next.
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
	t.Logf("%d webhooks, for %d of %d jobs, %d of them turned away, in %v, with %d delegations",
		sent, sent/(connections*times), jobs, f.refused.Load(), time.Since(began), delegated)
	await(t, waitTime, "that every job is connected", func() bool { return w.restarted() == jobs+delegated })
	w.mustHold()
	all := w.all()
	each(len(all), func(i int) { all[i].leave(broke) })
	// While a busy machine's SFU does not answer in time, nobody is known to have
	// left, so how long all take is the machine's. A service that is frozen sends none.
	for left := w.unsent(); left > 0; left = w.unsent() {
		await(t, 2*time.Minute, "that one more leave is sent", func() bool { w.mustHold(); return w.unsent() < left })
	}
}

// floodTime bounds the flood on a slow machine.
const floodTime = time.Minute

// joinedReport is the request that says that m has joined, as it is sent.
func (m *member) joinedReport(s *service) []byte {
	var b bytes.Buffer
	if err := m.w.sfu.NewWebhook(s.url+"/sfu_webhook", m.w.sfu.Joined(m.room, m.identity)).Write(&b); err != nil {
		panic(err) // to a buffer
	}
	return b.Bytes()
}

// delegateUntil delegates leaves, ten a second, and looks at /healthz, until
// over. It returns how many.
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
		// A busy machine's disk may take more than the second that a store has.
		if health := w.health(s); health != "ok" && health != "degraded" {
			w.t.Errorf("/healthz: %s", health)
		}
	}
}

// flood sends every report so many times on every connection.
type flood struct {
	reports        [][]byte
	times          int
	end            time.Time // of the flood, though reports are left
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

// exchange sends one report. Being told to try again later is no failure.
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
		return fmt.Errorf("a webhook was answered with %s", status)
	}
	return nil
}

// readAnswer reads one answer and returns its status. (http.ReadResponse would
// be most of the test's time.)
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
