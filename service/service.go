// Package service is the process that serves. It reads the configuration,
// connects the other packages, listens, keeps delegated leaves, and tests the
// registration at the homeserver. At the end it shuts everything down in order.
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

	"github.com/coreos/go-systemd/v22/daemon"

	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/connlimit"
	"matrixrtc-auth/internal/logqueue"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/internal/textlog"
)

// These are the exit codes of the process.
const (
	exitOK     = 0
	exitFailed = 1 // the log says why: the configuration has faults, or a file, the store or a port cannot be opened
)

// Run serves until ctx ends, and returns the exit code. The environment holds
// the configuration. version is the program's version in logs, metrics and
// answers. The log goes to stderr. At the end, Run waits at most a second until
// the log is written. A process may call Run only once, because Run sets
// process-wide state (signals, the garbage collector, the default logger).
func Run(ctx context.Context, version string, stderr io.Writer) int {
	tuneMemory()
	signal.Ignore(syscall.SIGPIPE) // without this, the process would be killed when the program that reads its log ends
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	cfg, warnings, err := config.Load()
	queue := logqueue.Start(stderr, formatOf(cfg))
	defer queue.Close() // an error says that nothing can be written to stderr, so the log cannot show the error
	log := slog.New(queue.Handler())
	slog.SetDefault(log) // so libraries also log through the queue, and never wait for stderr
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

// formatOf returns a function that makes a log handler for the configured
// format.
func formatOf(cfg config.Config) func(io.Writer) slog.Handler {
	if cfg.LogJSON {
		options := &slog.HandlerOptions{Level: cfg.LogLevel}
		return func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
	}
	return func(w io.Writer) slog.Handler { return textlog.New(w, cfg.LogLevel) }
}

// serve listens and serves until ctx ends (SIGTERM or SIGINT). Then it shuts
// the service down. At every signal in hangups (SIGHUP), it reads the
// credential files again and goes on.
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
	hs := s.newHomeserver(kept.events)
	who := s.newMembers(hs, common)
	p := parts{kept, hs, who, rooms}
	h := s.newHandler(p)
	s.watch(p)
	h.InProgress = semaphore.New[netip.Prefix](semaphore.Bounds{PerKey: connlimit.Share(clients)})
	server := newServer(h.Routes(), s.log)
	base, cut := context.WithCancelCause(context.Background())
	defer cut(nil)
	server.BaseContext = func(net.Listener) context.Context { return base }
	endKeeping := kept.start()
	defer endKeeping()
	if who != nil {
		defer who.start()()
	}
	go s.credentials.renewAt(hangups, s.log)
	failed := make(chan error, 1)
	bounded := s.bound(listener, clients, h)
	go func() { failed <- bounded.Serve(server) }()
	if hs != nil {
		defer hs.start()()
	}
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

// bound returns a listener that limits how many connections of listener are
// open at the same time. clients is this limit.
func (s *shared) bound(listener net.Listener, clients int, h *handler.Handler) *connlimit.Listener {
	return connlimit.New(listener, connlimit.Options{
		Limit: clients, Network: h.Proxies.Share, ArrivalTime: bodyTime,
		Keep: h.Headers(), Answer: h.Refuse, Log: s.log,
	})
}

// clientPlaces returns how many connections clients can have open at the same
// time.
func (s *shared) clientPlaces() int {
	clients := placesFor(openFiles()).clients
	if clients < MaxConnections {
		s.log.Warn("fewer clients than usual can connect at a time, because the limit of open files is low; raise it (ulimit -n)", "connections", clients)
	}
	return clients
}

// serveMetrics serves GET /metrics at the address in LIVEKIT_METRICS_BIND,
// until the caller calls stop. If this variable is not set, it serves nothing:
// there is no default address.
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
			s.log.Error("the listener for metrics has failed", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}
