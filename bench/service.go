package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// serviceEnv returns the whole environment of the service. It has the required
// variables, and those that make the service trust a homeserver on loopback.
// All other settings have their defaults, so rate limits are on, and the
// service logs each request.
func (l *lab) serviceEnv(fullAccess string) []string {
	return append(l.requiredEnv(fullAccess),
		"LIVEKIT_ALLOWED_NETWORKS=127.0.0.0/8",
		"LIVEKIT_CA_FILE="+l.caFile,
		"LIVEKIT_STORE=memory",
	)
}

func (l *lab) requiredEnv(fullAccess string) []string {
	return []string{
		"LIVEKIT_URL=ws://" + l.sfu.Addr,
		"LIVEKIT_KEY=" + apiKey,
		"LIVEKIT_SECRET=" + apiSecret,
		"LIVEKIT_FULL_ACCESS_HOMESERVERS=" + fullAccess,
	}
}

// launchService starts the service itself (letter "c"), and waits until it is
// ready.
func (l *lab) launchService(ctx context.Context, env []string) (*subject, error) {
	return l.launchProgram(ctx, "c", env)
}

// launchProgram starts the service with the environment env, and waits until it
// is ready. letter is "c" for the service itself, or "u" for the build without
// tickets. The program's log goes to a file.
func (l *lab) launchProgram(ctx context.Context, letter string, env []string) (*subject, error) {
	program := l.service
	if letter == unsealedLetter {
		program = l.unsealed
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(l.dir, "service-"+strings.ReplaceAll(addr, ":", "-")+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(env, "LIVEKIT_JWT_BIND="+addr)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &subject{letter: letter, addr: addr, pid: cmd.Process.Pid, stop: func() error { return terminate(cmd) }}
	if err := awaitReady(ctx, addr); err != nil {
		s.stop()
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("the service did not start: %w\n%s", err, text)
	}
	return s, nil
}

// terminate ends a process as a container runtime does. It sends SIGTERM and
// waits until the process has ended.
func terminate(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, cmd.Wait())
	}
	return cmd.Wait()
}

// freeAddr returns an address on loopback at which no program listens now.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitReady waits until GET /healthz is answered with 200, but not longer than
// 10 s.
func awaitReady(ctx context.Context, addr string) error {
	const waitTime, pause = 10 * time.Second, 200 * time.Microsecond
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	for {
		err := health(addr)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service is not ready: %w", err)
		case <-time.After(pause):
		}
	}
}

// health requests /healthz once. It does not use net/http, because then the
// measured start time would include the time of net/http.
func health(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", addr); err != nil {
		return err
	}
	answer := make([]byte, 512)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	const ok = "HTTP/1.1 200"
	if n < len(ok) || string(answer[:len(ok)]) != ok {
		return fmt.Errorf("the service answers /healthz with %q", answer[:n])
	}
	return nil
}
