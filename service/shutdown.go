package service

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/connlimit"
)

// These are the times of the shutdown after SIGTERM or SIGINT. They begin when
// LIVEKIT_SHUTDOWN_DELAY has passed (0 s by default, 5 min at most).
//
// After finishTime, the contexts of running requests end. After closeTime, the
// service closes their connections. Then it closes the store of leaves. That
// takes up to 2 s more if Redis does not answer, and up to 7 s if the disk does
// not answer (standby.Store.Close). At the end the service waits at most 1 s
// for the log (logqueue.Queue.Close).
//
// The shutdown sends no leave: the keeper gives its jobs back to the store
// (keeper.Keeper.Run). A second signal ends the process immediately (main.go).
const (
	finishTime = 7 * time.Second
	closeTime  = 8 * time.Second
)

// drain waits until ctx ends, and then waits for LIVEKIT_SHUTDOWN_DELAY. In
// this time the service still serves requests, but answers 503 to /healthz. So
// load balancers send clients elsewhere. If the socket came from systemd, drain
// does not wait, because the next process takes over the socket. If the server
// has failed, drain returns the server's error.
func (s *shared) drain(ctx context.Context, h *handler.Handler, handedOver bool, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.notify(daemon.SdNotifyStopping)
	if handedOver {
		s.log.Info("shutting down; new connections wait at systemd's socket for the next process")
		return nil
	}
	s.log.Info("shutting down", "delay", s.cfg.ShutdownDelay.String())
	h.Drain()
	select {
	case err := <-failed:
		return err
	case <-time.After(s.cfg.ShutdownDelay):
		return nil
	}
}

// finish closes the listener, and waits until running requests have ended, for
// at most closeTime. failed gets a value when the server has stopped accepting
// connections.
func finish(server *http.Server, bounded *connlimit.Listener, failed <-chan error, cut context.CancelCauseFunc, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	hurry := time.AfterFunc(finishTime, func() { cut(handler.ErrShuttingDown) })
	defer hurry.Stop()
	_ = bounded.Close() // an error means that the listener was already closed
	<-failed
	server.SetKeepAlivesEnabled(false)
	settle(ctx, bounded)
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("running requests did not end in time and were cut off", "error", err)
		_ = server.Close() // closes the connections that Shutdown has left open
	}
}

// settleTime is how long a new connection may take to send its request during
// the shutdown.
const settleTime = 2 * time.Second

func settle(ctx context.Context, bounded *connlimit.Listener) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	bounded.Settle(ctx)
}
