package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"matrixrtc-auth/config"
)

// The bounds on clients. Even if all clients are silent, slow or never read,
// together they take less than 110 MB (TestCrowdMemory). Later clients wait in
// the kernel's queue. Connections of slow clients are closed after headerTime
// and bodyTime, and sooner when no place is free.
const (
	headerTime = 5 * time.Second
	bodyTime   = 15 * time.Second // how long a client may take from connecting to the end of its request's body
	writeTime  = 35 * time.Second // counted from the end of the headers; the handler may take 25 s of this time
	idleTime   = 120 * time.Second

	maxHeaderBytes = 16 << 10 // a client with a larger head of a request gets 431
	// headerSlop is the number of bytes that net/http adds to MaxHeaderBytes.
	headerSlop = 4096
)

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       bodyTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes - headerSlop,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// The handler of this program answers OPTIONS * itself, with the same headers
		// as every other answer.
		DisableGeneralOptionsHandler: true,
	}
}

// listen listens on bind. A Unix socket gets the mode 0660.
func listen(bind config.Bind) (net.Listener, error) {
	if bind.Network != "unix" {
		config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return smallBuffers(c) }}
		return config.Listen(context.Background(), bind.Network, bind.Address)
	}
	if err := removeStale(bind.Address); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", bind.Address)
	if err != nil {
		return nil, err
	}
	// The reverse proxy must be able to connect: it is in the socket's group.
	if err := os.Chmod(bind.Address, 0o660); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// removeStale removes the socket file that a killed process has left, on which
// nobody listens. It removes nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("the service cannot listen on %s: this file is not a socket; move it away", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return errors.Join(fmt.Errorf("the service cannot listen on %s: another process already listens there", path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("the service cannot listen on %s: %w", path, err)
	}
	return os.Remove(path)
}

// addressOf returns the address of l in the form of LIVEKIT_JWT_BIND.
func addressOf(l net.Listener) string {
	return config.Bind{Network: l.Addr().Network(), Address: l.Addr().String()}.String()
}
