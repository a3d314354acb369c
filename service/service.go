// Package service is the process that serves: it reads the configuration, puts
// the other packages together, listens, keeps delegated leaves, tests the
// registration at the homeserver, and ends in order.
package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/connlimit"
	"matrixrtc-auth/internal/logqueue"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/semaphore"
)

// The end of the service, after LIVEKIT_SHUTDOWN_DELAY: requests under way may
// finish, are told off after finishTime, and are cut off after closeTime.
const (
	finishTime = 7 * time.Second
	closeTime  = 8 * time.Second
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the configuration has faults, or something cannot be opened; the log says what
)

// Run serves as the environment configures it until ctx ends, and returns the
// exit code. version is what logs, metrics and answers call this program. The
// log goes to stderr, and is written when Run returns, as far as that can be
// done within a second. One process runs it once: it sets what is the process's
// own (signals, the garbage collector, the default logger).
func Run(ctx context.Context, version string, stderr io.Writer) int {
	tuneMemory()
	signal.Ignore(syscall.SIGPIPE) // of a log that nobody reads any more
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	cfg, warnings, err := config.Load()
	queue := logqueue.Start(stderr, formatOf(cfg))
	defer queue.Close() // an error is that stderr takes nothing: nobody can be told
	log := slog.New(queue.Handler())
	slog.SetDefault(log) // what libraries print must not wait for stderr either
	for _, warning := range warnings {
		log.Warn("configuration", "warning", warning.String())
	}
	if err != nil {
		for _, fault := range config.Lines(err) {
			log.Error("configuration", "fault", fault)
		}
		return exitFailed
	}
	log.Info("starting", "version", version, "config", cfg)
	s := &shared{version: version, cfg: &cfg, credentials: newCredentials(&cfg), strangers: newStrangers(), log: log, logStatus: queue.Status}
	if err := s.serve(ctx, hangups); err != nil {
		log.Error("stopped", "error", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitOK
}

// formatOf returns what formats the log.
func formatOf(cfg config.Config) func(io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogJSON {
		return func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
	}
	return func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
}

// serve listens, serves, and ends in order when ctx does. At every hangup it
// reads the files of the credentials anew.
func (s *shared) serve(ctx context.Context, hangups <-chan os.Signal) error {
	stopMetrics, err := s.serveMetrics()
	if err != nil {
		return err
	}
	defer stopMetrics()
	kept, err := s.openLeaves(ctx)
	if err != nil {
		return err
	}
	defer kept.close()
	common, err := s.openBoard(ctx, kept)
	if err != nil {
		return err
	}
	defer common.close()
	listener, handedOver, err := s.openListener()
	if err != nil {
		return err
	}
	s.log.Info("listening", "address", addressOf(listener))

	clients := s.clientPlaces()
	rooms, endRooms := s.startRooms()
	defer endRooms()
	hs := s.newHomeserver(kept.delayedEvents())
	who := s.newMembers(hs, common)
	p := parts{kept, hs, who, rooms}
	h := s.newHandler(p)
	if s.cfg.Metrics != (config.Bind{}) {
		s.counters.Watch(func() metrics.Snapshot { return s.snapshot(p) })
	}
	h.InProgress = semaphore.New[netip.Prefix](semaphore.Bounds{PerKey: connlimit.Share(clients)})
	server := newServer(h.Routes(), s.log)
	base, cut := context.WithCancelCause(context.Background())
	defer cut(nil)
	server.BaseContext = func(net.Listener) context.Context { return base }
	endKeeping := kept.start()
	defer endKeeping()
	defer who.start()()
	go s.credentials.renewAt(hangups, s.log)
	failed := make(chan error, 1)
	bounded := connlimit.New(listener, connlimit.Options{
		Limit: clients, Network: h.Proxies.Share, ArrivalTime: bodyTime,
		Keep: h.Headers(), Answer: h.Refuse, Log: s.log,
	})
	go func() { failed <- bounded.Serve(server) }()
	defer hs.start()()
	s.notify(daemon.SdNotifyReady + "\nSTATUS=listening on " + addressOf(listener))
	if err := s.drain(ctx, h, handedOver, failed); err != nil {
		return err
	}
	var ending sync.WaitGroup
	ending.Go(endKeeping)
	finish(server, bounded, failed, cut, s.log)
	ending.Wait()
	return nil
}

// drain waits for the end of ctx, and then has load balancers send clients
// elsewhere for as long as the configuration says. It sends nobody away from a socket that was handed over:
// there the next process serves them. An error is that of the server, which has
// failed.
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

// finish takes no more connections, and lets the requests under way end, within
// closeTime. failed tells that nothing is accepted any more.
func finish(server *http.Server, bounded *connlimit.Listener, failed <-chan error, cut context.CancelCauseFunc, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	hurry := time.AfterFunc(finishTime, func() { cut(handler.ErrShuttingDown) })
	defer hurry.Stop()
	_ = bounded.Close() // the error is that there was nothing to close
	<-failed
	server.SetKeepAlivesEnabled(false)
	settle(ctx, bounded)
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("requests were cut off", "error", err)
		_ = server.Close() // what Shutdown has left
	}
}

// settleTime is how long a connection that was just made has at the end to send
// its request.
const settleTime = 2 * time.Second

func settle(ctx context.Context, bounded *connlimit.Listener) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	bounded.Settle(ctx)
}

// clientPlaces is how many connections clients may have at a time.
func (s *shared) clientPlaces() int {
	clients := placesFor(openFiles()).clients
	if clients < MaxConnections {
		s.log.Warn("fewer connections than usual: the limit of open files is low", "connections", clients)
	}
	return clients
}

// serveMetrics serves metrics until stop is called. Where the configuration has
// no address for them there are none, and nobody counts.
func (s *shared) serveMetrics() (stop func(), err error) {
	if s.cfg.Metrics == (config.Bind{}) {
		return func() {}, nil
	}
	listener, err := listen(s.cfg.Metrics)
	if err != nil {
		return nil, err
	}
	s.log.Info("serving metrics", "address", addressOf(listener))
	s.counters = metrics.New(s.version)
	server := newServer(s.counters.Handler(), s.log)
	bounded := connlimit.New(listener, connlimit.Options{Limit: placesFor(openFiles()).scrapers, ArrivalTime: bodyTime, Log: s.log})
	go func() {
		if err := bounded.Serve(server); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("metrics ended", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}
