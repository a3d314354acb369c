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

// These bounds apply to clients. All clients together take less than 110 MB,
// even if all of them are silent, are slow, or never read (TestCrowdMemory).
// While the largest number of connections is open, new clients wait in the
// kernel's queue. The service closes the connection of a slow client after
// headerTime or bodyTime, or sooner while the largest number is open.
const (
	headerTime = 5 * time.Second
	bodyTime   = 15 * time.Second // from the start of the connection until the whole request has arrived
	writeTime  = 35 * time.Second // from the end of the headers until the whole answer is written; the handler may take 25 s of this time
	idleTime   = 120 * time.Second

	maxHeaderBytes = 16 << 10 // a client gets 431 if its request line and headers are larger
	// headerSlop is how many bytes net/http allows beyond
	// Server.MaxHeaderBytes.
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
		// With this option, h itself answers OPTIONS *. So the answer has the same
		// headers as every other answer.
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
	// The reverse proxy must be able to connect. It is in the group that owns
	// the socket.
	if err := os.Chmod(bind.Address, 0o660); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// removeStale removes the socket file that a killed process has left. Nobody
// listens on such a socket. removeStale removes no other file.
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

// addressOf returns the address of the listener l in the form of
// LIVEKIT_JWT_BIND.
func addressOf(l net.Listener) string {
	return config.Bind{Network: l.Addr().Network(), Address: l.Addr().String()}.String()
}
