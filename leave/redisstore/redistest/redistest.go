// Package redistest runs a real redis-server for tests: alone, as a cluster of one node
// or of three with a replica, or watched by Sentinels. It can kill, empty and freeze
// the server.
package redistest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/listen"
)

// Server is a redis-server for a test. It listens on a loopback port and on a Unix
// socket.
type Server struct {
	Addr   string // the address of the server, as host:port
	Socket string // the path of the server's Unix socket
	Dir    string // the folder for the server's files

	password string // the password of Redis' default user
	frozen   bool
	program  string
	args     []string
	cmd      *exec.Cmd
	exited   chan struct{}
}

// The servers use the ports from firstPort to lastPort. The kernel assigns higher ports
// to clients, and the end-to-end tests in e2e reserve lower ports by locks. Each server
// needs two ports. The second one is for the bus of a cluster.
const firstPort, lastPort = 32000, 32767

// Start starts a redis-server. args are further arguments for it. The server writes
// nothing to disk, and stops when the test ends. The test fails if redis-server is not
// installed.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return startAt(t, freePorts(t), args...)
}

func startAt(t testing.TB, port int, args ...string) *Server {
	t.Helper()
	s := newServer(t, port)
	s.args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", s.Dir,
		"--unixsocket", s.Socket, "--save", "", "--appendonly", "no"}, args...)
	s.start(t)
	t.Cleanup(s.Kill)
	return s
}

// newServer returns a server that has its own folder and has not been started.
func newServer(t testing.TB, port int) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("this test needs redis-server, which is not installed: apt-get install --no-install-recommends redis-server")
	}
	dir, err := os.MkdirTemp("", "redis") // the path must be short, because the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &Server{program: program, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Socket: filepath.Join(dir, "s"), Dir: dir}
}

// StartCluster starts a cluster of one node.
func StartCluster(t testing.TB, args ...string) *Server {
	t.Helper()
	port := freePorts(t)
	s := startAt(t, port, append([]string{
		"--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-port", strconv.Itoa(port + 1),
	}, args...)...)
	s.Do(t, func(ctx context.Context, c *redis.Client) error { return c.ClusterAddSlotsRange(ctx, 0, 16383).Err() })
	s.wait(t, func(ctx context.Context, c *redis.Client) error { return c.Get(ctx, "key").Err() })
	return s
}

// freePorts returns the first of two neighbouring free ports.
func freePorts(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := firstPort + 2*rand.IntN((lastPort-firstPort+1)/2)
		if free(port) && free(port+1) {
			return port
		}
	}
	t.Fatalf("found no two free ports for a redis-server between %d and %d", firstPort, lastPort)
	return 0
}

func free(port int) bool {
	l, err := listen.TCP(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func (s *Server) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.program, s.args...)
	s.cmd.SysProcAttr = dependent()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
	s.wait(t, func(ctx context.Context, c *redis.Client) error { return c.Ping(ctx).Err() })
}

// wait calls the function ask until the server is ready. The server is not ready if ask
// gets no answer. It is also not ready if it answers that it is loading, or that its
// cluster is down.
func (s *Server) wait(t testing.TB, ask func(context.Context, *redis.Client) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := s.do(ctx, ask)
		if err != nil && ctx.Err() == nil {
			last = err
		}
		_, answered := err.(redis.Error)
		if err == nil || answered && !redis.HasErrorPrefix(err, "LOADING") && !redis.HasErrorPrefix(err, "CLUSTERDOWN") {
			return
		}
		select {
		case <-s.exited:
			t.Fatalf("redis-server with the arguments %q ended before it was ready: %v", s.args, s.cmd.ProcessState)
		case <-ctx.Done():
			t.Fatalf("redis-server is not ready after 20 s: %v", last)
		case <-tick.C:
		}
	}
}

// Do calls the function do with a client that is connected to the server.
func (s *Server) Do(t testing.TB, do func(context.Context, *redis.Client) error) {
	t.Helper()
	if err := s.do(context.Background(), do); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) do(ctx context.Context, do func(context.Context, *redis.Client) error) error {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Password: s.password, MaxRetries: -1, DialerRetries: 1, Protocol: 2, DisableIdentity: true})
	defer c.Close()
	return do(ctx, c)
}

// URL returns the server's URL, which has no user name.
func (s *Server) URL() string { return fmt.Sprintf("redis://%s", s.Addr) }

// Kill kills the server as a crash would, and waits until its process has ended.
func (s *Server) Kill() {
	s.cmd.Process.Kill() // SIGKILL also ends a frozen process
	<-s.exited
}

// Restart starts a killed server again, with the data that it has written to disk.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.start(t)
}

// Freeze stops the server's process. Its connections stay open, and the kernel still
// accepts data for them.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	s.frozen = true
	s.signal(t, syscall.SIGSTOP)
}

// Thaw lets the frozen process go on. The process then reads all that was sent while it
// was frozen.
func (s *Server) Thaw(t testing.TB) {
	t.Helper()
	s.frozen = false
	s.signal(t, syscall.SIGCONT)
}

func (s *Server) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
