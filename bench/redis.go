package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// redisServer is a redis-server that writes nothing to disk.
type redisServer struct {
	addr string
	pid  int
	stop func() error
}

func (l *lab) startRedis(ctx context.Context) (*redisServer, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed: apt-get install --no-install-recommends redis-server")
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", l.dir)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &redisServer{addr: addr, pid: cmd.Process.Pid, stop: func() error { return terminate(cmd) }}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err = r.info("memory", "used_memory"); err == nil {
			return r, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(err, r.stop())
		}
	}
}

// info sends Redis the command INFO for a section. It returns the number in the
// answer's line that begins with name.
func (r *redisServer) info(section, name string) (int64, error) {
	return r.number("INFO "+section, name+":")
}

// firstForm returns how many leaves are stored in the form of version 0.2.0.
func (r *redisServer) firstForm() (int64, error) {
	return r.number("HLEN matrixrtc-auth{leave}:jobs", ":")
}

// awaitSecondForm waits until no leave is stored in the form of version 0.2.0.
// The service converts such leaves one minute after its start. During this
// minute, a replica of version 0.2.0 may still run.
func (r *redisServer) awaitSecondForm() error {
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if n, err := r.firstForm(); err != nil || n == 0 {
			return err
		}
	}
	return errors.New("after 3 minutes some leaves are still stored in the form of version 0.2.0")
}

// number sends a command to Redis. It returns the number that follows prefix in
// Redis' answer.
func (r *redisServer) number(command, prefix string) (int64, error) {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\nQUIT\r\n", command); err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			return strconv.ParseInt(value, 10, 64)
		}
	}
	return 0, fmt.Errorf("redis-server does not answer %s with %s", command, prefix)
}
