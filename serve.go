package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/logqueue"
	"matrixrtc-auth/internal/metrics"
)

// The end of the service, after LIVEKIT_SHUTDOWN_DELAY: requests under way may
// finish, are told off after finishTime, and are cut off after closeTime.
const (
	finishTime = 7 * time.Second
	closeTime  = 8 * time.Second
)

// serve runs the service until ctx ends. The log is written when it returns, as
// far as that can be done within a second.
func serve(ctx context.Context, stderr io.Writer) int {
	tuneMemory()
	cfg, warnings, err := config.Load()
	queue := logqueue.Start(stderr, formatOf(cfg))
	defer queue.Close() // an error is that stderr takes nothing: nobody can be told
	log := slog.New(queue.Handler())
	slog.SetDefault(log) // what libraries print must not wait for stderr either
	for _, warning := range warnings {
		log.Warn("configuration", "warning", warning.String())
	}
	if err != nil {
		for _, fault := range faults(err) {
			log.Error("configuration", "fault", fault)
		}
		return exitFailed
	}
	if cfg.RootCAs != nil {
		freeCertificates()
	}
	log.Info("starting", "version", buildVersion(), "config", cfg)
	if err := serveConfig(ctx, cfg, log, queue.Status); err != nil {
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

// serveConfig listens, serves, and ends in order when ctx does.
func serveConfig(ctx context.Context, cfg config.Config, log *slog.Logger, logStatus func() logqueue.Status) error {
	counters, stopMetrics, err := serveMetrics(cfg.Metrics, log)
	if err != nil {
		return err
	}
	defer stopMetrics()
	counters.WatchLog(func() uint64 { return logStatus().Dropped })
	strangers := newStrangers()
	kept, err := openLeaves(ctx, &cfg, strangers, log, counters)
	if err != nil {
		return err
	}
	defer kept.close()
	listener, err := listen(cfg.Listen)
	if err != nil {
		return err
	}
	log.Info("listening", "address", addressOf(listener))

	rooms, endRooms := startRooms(&cfg, counters)
	defer endRooms()
	hs := newHomeserver(&cfg, strangers, kept.delayedEvents(), log)
	h := newHandler(&cfg, log, counters, parts{strangers, kept, hs, rooms, logStatus})
	server := newServer(h.Routes(), log)
	base, cut := context.WithCancelCause(context.Background())
	defer cut(nil)
	server.BaseContext = func(net.Listener) context.Context { return base }
	endKeeping := kept.start()
	defer endKeeping()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limitConnections(listener, maxConnections, closeIdle(server))) }()

	defer hs.start()()

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("shutting down", "delay", cfg.ShutdownDelay.String())
	h.Drain()
	select {
	case err := <-failed:
		return err
	case <-time.After(cfg.ShutdownDelay):
	}
	var ending sync.WaitGroup
	ending.Go(endKeeping)
	finish(server, cut, log)
	ending.Wait()
	return nil
}

// finish lets the requests under way end, within closeTime.
func finish(server *http.Server, cut context.CancelCauseFunc, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	hurry := time.AfterFunc(finishTime, func() { cut(handler.ErrShuttingDown) })
	defer hurry.Stop()
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("requests were cut off", "error", err)
		_ = server.Close() // what Shutdown has left
	}
}

// serveMetrics serves metrics at bind until stop is called. Without a bind
// there are none, and nobody counts.
func serveMetrics(bind config.Bind, log *slog.Logger) (counters *metrics.Metrics, stop func(), err error) {
	if bind == (config.Bind{}) {
		return nil, func() {}, nil
	}
	listener, err := listen(bind)
	if err != nil {
		return nil, nil, err
	}
	log.Info("serving metrics", "address", addressOf(listener))
	counters = metrics.New(buildVersion())
	server := newServer(counters.Handler(), log)
	go func() {
		if err := server.Serve(limitConnections(listener, maxScrapers, closeIdle(server))); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics ended", "error", err)
		}
	}()
	return counters, func() { _ = server.Close() }, nil
}
