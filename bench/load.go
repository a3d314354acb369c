package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"time"
)

// loadPlan is the load generator's task. If Count is set, the generator sends
// that many requests. Otherwise it sends requests for Warmup without measuring,
// and then measures for Duration.
type loadPlan struct {
	Addr        string
	Connections int
	Server      string // the homeserver's name
	WithInvalid bool   // half of the requests are invalid; the service must refuse them
	Proxied     bool   // the requests look as if a homeserver had forwarded them
	// If Strangers is true, each forwarded request is for a new user. So for each
	// request the service must ask the homeserver whether the user is joined.
	Strangers bool
	Count     int
	Warmup    time.Duration
	Duration  time.Duration
	PIDs      []int // the generator measures the CPU time of these processes and of itself
}

// loadResult is the result of carrying out a loadPlan.
type loadResult struct {
	Requests      int
	Elapsed       time.Duration
	P50, P99, Max time.Duration
	Slow          int // the number of requests that took slowRequest or longer
	// CPU holds the CPU times of the processes in the plan's PIDs, in the same
	// order. The last element is the CPU time of the generator.
	CPU     []time.Duration
	Wrong   int    // the number of wrong answers
	Problem string // what is wrong with the first wrong answer
}

const (
	slowRequest = 100 * time.Millisecond
	// stalled is the longest time without any answer. After this time, the
	// generator gives up. It is longer than the service's limit for one request.
	stalled = 40 * time.Second
)

// generateLoad is the load generator's main function: it reads a loadPlan and
// writes a loadResult.
func generateLoad(args []string) error {
	var plan loadPlan
	if len(args) != 1 {
		return errors.New("the role load takes one argument, the plan as JSON")
	}
	if err := json.Unmarshal([]byte(args[0]), &plan); err != nil {
		return err
	}
	debug.SetGCPercent(-1) // the generator needs no garbage collection, because it keeps everything that it allocates
	result, err := carryOut(plan)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// load is the load generator while it runs. It keeps one request in progress on
// each connection.
type load struct {
	plan     loadPlan
	sockets  *sockets
	exchange []exchange // the request in progress on each connection
	issued   int
	limit    int // the maximal number of requests
	pending  int
	measured bool
	samples  []time.Duration
	result   loadResult
}

// exchange is the request in progress on a connection, with the part of its
// answer that has arrived.
type exchange struct {
	requests []*request
	current  *request
	sent     time.Time
	answer   []byte
	n        int
}

func carryOut(plan loadPlan) (*loadResult, error) {
	sockets, err := dialSockets(plan.Addr, plan.Connections)
	if err != nil {
		return nil, err
	}
	l := &load{plan: plan, sockets: sockets, limit: math.MaxInt, samples: make([]time.Duration, 0, 1<<20)}
	for range plan.Connections {
		requests := mix(plan.Server, plan.WithInvalid)
		if plan.Proxied {
			number := userMark
			if plan.Strangers {
				number = serialMark
			}
			requests = []*request{proxiedRequest(plan.Server, number)}
		}
		l.exchange = append(l.exchange, exchange{requests: requests, answer: make([]byte, 16<<10)})
	}
	if plan.Count > 0 {
		l.limit, l.plan.Warmup, l.plan.Duration = plan.Count, 0, time.Hour
	}
	if err := l.run(); err != nil {
		return nil, err
	}
	l.summarise()
	return &l.result, nil
}

func (l *load) run() error {
	for i := range min(l.limit, len(l.exchange)) {
		l.pending++
		if err := l.send(i, time.Now()); err != nil {
			return err
		}
	}
	if err := l.until(time.Now().Add(l.plan.Warmup)); err != nil {
		return err
	}
	if err := l.measure(); err != nil {
		return err
	}
	l.limit = l.issued
	return l.until(time.Now().Add(stalled))
}

// measure sends the requests that follow the warm-up. Only these count in the result.
func (l *load) measure() error {
	pids := append(slices.Clone(l.plan.PIDs), os.Getpid())
	before, err := cpuTimes(pids)
	if err != nil {
		return err
	}
	start := time.Now()
	l.measured = true
	if err := l.until(start.Add(l.plan.Duration)); err != nil {
		return err
	}
	l.measured = false
	l.result.Elapsed = time.Since(start)
	after, err := cpuTimes(pids)
	if err != nil {
		return err
	}
	for i := range after {
		l.result.CPU = append(l.result.CPU, after[i]-before[i])
	}
	return nil
}

// This method sends requests and reads answers until the time end. It returns
// earlier if no request waits for an answer.
func (l *load) until(end time.Time) error {
	ready := make([]int, 0, len(l.exchange))
	for now := time.Now(); l.pending > 0 && now.Before(end); now = time.Now() {
		var err error
		ready, err = l.sockets.wait(min(end.Sub(now), stalled), ready[:0])
		if err != nil {
			return err
		}
		if len(ready) == 0 && time.Since(now) >= stalled {
			return fmt.Errorf("no answer arrived for %v, while %d requests waited for their answers", stalled, l.pending)
		}
		for _, i := range ready {
			if err := l.receive(i); err != nil {
				return fmt.Errorf("connection %d to the subject failed: %w", i, err)
			}
		}
	}
	return nil
}

func (l *load) send(i int, now time.Time) error {
	l.issued++
	e := &l.exchange[i]
	e.current, e.sent, e.n = pick(e.requests, l.issued), now, 0
	return l.sockets.write(i, e.current.numbered(l.issued))
}

func (l *load) receive(i int) error {
	e := &l.exchange[i]
	n, err := l.sockets.read(i, e.answer[e.n:])
	if err != nil {
		return err
	}
	e.n += n
	length, err := responseLength(e.answer[:e.n])
	if err != nil || length == 0 || e.n < length {
		return err
	}
	now := time.Now()
	l.record(e, now)
	if l.issued < l.limit {
		return l.send(i, now)
	}
	l.pending--
	return nil
}

func (l *load) record(e *exchange, now time.Time) {
	if problem := checkResponse(e.answer[:e.n], e.current.status); problem != "" {
		l.result.Wrong++
		if l.result.Problem == "" {
			l.result.Problem = problem
		}
	}
	if l.measured {
		l.samples = append(l.samples, now.Sub(e.sent))
	}
}

func (l *load) summarise() {
	slices.Sort(l.samples)
	r := &l.result
	r.Requests = len(l.samples)
	r.P50, r.P99, r.Max = percentile(l.samples, 50), percentile(l.samples, 99), percentile(l.samples, 100)
	first, _ := slices.BinarySearch(l.samples, slowRequest)
	r.Slow = len(l.samples) - first
}
