//go:build redis && linux

package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// leaver is an environment variable. If it is set, this test program starts a
// redis-server and ends without a cleanup.
const leaver = "REDISTEST_LEAVER"

// TestServerEndsWithTheProgram starts a redis-server in another test program, which
// ends without a cleanup. The server must end, too.
func TestServerEndsWithTheProgram(t *testing.T) {
	if os.Getenv(leaver) != "" {
		s := Start(t)
		fmt.Println(s.Addr, s.cmd.Process.Pid)
		os.RemoveAll(s.Dir)
		os.Exit(0)
	}
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run", t.Name())
	program.Env = append(os.Environ(), leaver+"=yes")
	out, err := program.Output()
	if err != nil {
		t.Fatalf("running the child program: got %v and the output %s, want no error", err, out)
	}
	var address string
	var pid int
	if _, err := fmt.Sscan(string(out), &address, &pid); err != nil {
		t.Fatalf("reading the output %q of the child program: got %v, want an address and a process id", out, err)
	}
	for began := time.Now(); listens(address); <-time.After(10 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("redis-server %d: got it listening at %s, want it ended", pid, address)
		}
	}
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}
