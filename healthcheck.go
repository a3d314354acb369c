package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/command"
)

// healthcheck requests /healthz from the service. It reads only the variables
// that say on which address the service listens. The exit code is 0 if the
// answer is 200, also if the service's status is degraded. The exit code is 1
// for every other answer, and if no answer comes within 2 s.
func healthcheck(ctx context.Context, stderr io.Writer) command.Code {
	bind, err := config.LoadListen()
	if err == nil {
		err = askHealth(ctx, bind)
	}
	if err != nil {
		fmt.Fprintln(stderr, "unhealthy:", err)
		return command.Failed
	}
	return command.OK
}

func askHealth(ctx context.Context, bind config.Bind) error {
	const answerTime = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://matrixrtc-auth/healthz", nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		for _, address := range reachable(bind) {
			if conn, err = (&net.Dialer{}).DialContext(ctx, bind.Network, address); err == nil {
				break
			}
		}
		return conn, err
	}}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the service at %s answers %s", bind, resp.Status)
	}
	return nil
}

// reachable returns the addresses at which clients reach the service that
// listens on bind. If the service listens on every address of the machine,
// these are the loopback addresses of IPv4 and IPv6.
func reachable(bind config.Bind) []string {
	host, port, err := net.SplitHostPort(bind.Address)
	if bind.Network == "unix" || err != nil {
		return []string{bind.Address}
	}
	switch host {
	case "", "0.0.0.0", "::":
		return []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	return []string{bind.Address}
}
