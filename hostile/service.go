//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The service listens on these addresses. Nothing else listens there, because
// the network namespace is new.
const (
	serviceAddress = "127.0.0.1:8080"
	metricsAddress = "127.0.0.1:9090"
)

// service is a process of the real program, in the control group that limits
// its memory.
type service struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

// startService starts the program with default settings, except the settings
// that let the program reach strangers' servers on loopback. It allows as many
// open files as the documentation recommends.
func startService(ctx context.Context, o options, w *world, g *group) (*service, error) {
	s := &service{log: filepath.Join(o.dir, "log"), exited: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command("/bin/sh", "-c", `ulimit -n 4096 && echo $$ >"$0" && exec "$1"`, g.procs(), o.binary)
	s.cmd.Stderr = log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Env = []string{
		"LIVEKIT_URL=" + w.sfu.URL(), "LIVEKIT_KEY=" + key.ID, "LIVEKIT_SECRET=" + key.Secret.Reveal(),
		"LIVEKIT_FULL_ACCESS_HOMESERVERS=" + namedServer,
		"LIVEKIT_FEDERATION_URL_OVERRIDES=" + namedServer + "=" + w.url,
		"LIVEKIT_CA_FILE=" + caFile(o.dir), "LIVEKIT_ALLOWED_NETWORKS=127.0.0.0/8",
		"LIVEKIT_TRUSTED_PROXIES=127.0.0.1/32", // only this address is a proxy; the other loopback addresses are clients
		"LIVEKIT_JWT_BIND=0.0.0.0:8080", "LIVEKIT_METRICS_BIND=" + metricsAddress, "LIVEKIT_STORE=memory",
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	return s, s.await(ctx)
}

// await waits until the service accepts connections.
func (s *service) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", serviceAddress)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the service ended at once:\n%s", s.lastLines())
		case <-ctx.Done():
			s.stop()
			return errors.Join(errors.New("the service does not listen"), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop sends SIGTERM to the service. If the service still runs after 15 s, stop
// kills it.
func (s *service) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(15 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// lastLines returns the last 2000 bytes of the service's log, or the error of
// reading it.
func (s *service) lastLines() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// state is what the service uses at one moment.
type state struct {
	RSS        bytesOf
	Goroutines int
	Files      int
	Heap       bytesOf // the bytes in the heap, including garbage
	collected  int     // how often the garbage collector has run since the start
}

// bytesOf is a number of bytes of memory.
type bytesOf int64

func (b bytesOf) String() string { return fmt.Sprintf("%.1f MB", float64(b)/1e6) }

// rss returns the resident memory of the service's process.
func (s *service) rss() (bytesOf, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(after)
	if !found || len(fields) == 0 {
		return 0, errors.New("the service has ended")
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	return bytesOf(kilobytes << 10), err
}

var scraper = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// look returns the state of the service, from its metrics and from the kernel.
func (s *service) look() (state, error) {
	resp, err := scraper.Get("http://" + metricsAddress + "/metrics")
	if err != nil {
		return state{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return state{}, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), " "); found && name != "#" {
			values[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "go_memstats_heap_alloc_bytes", "go_gc_duration_seconds_count"} {
		if _, there := values[name]; !there {
			return state{}, fmt.Errorf("the service's metrics do not contain %s", name)
		}
	}
	st := state{
		Goroutines: int(values["go_goroutines"]), Files: int(values["process_open_fds"]),
		Heap:      bytesOf(values["go_memstats_heap_alloc_bytes"]),
		collected: int(values["go_gc_duration_seconds_count"]),
	}
	st.RSS, err = s.rss()
	return st, err
}
