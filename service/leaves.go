package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"sync"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/filestore"
	"matrixrtc-auth/leave/keeper"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/leave/pace"
	"matrixrtc-auth/leave/redisstore"
	"matrixrtc-auth/leave/standby"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/guard"
)

// leaves is the part of the service that keeps delegated leaves. The zero value
// keeps none: it means that delegation is off.
type leaves struct {
	clock   *clock.Clock // the clock for all times of leaves
	kind    config.StoreKind
	store   leave.Store
	board   guard.Board                // the state of package guard, which all replicas with this store share; nil if the store cannot keep such state
	standby *standby.Store             // a store in memory that keeps leaves while the real store does not answer; nil if the real store is in memory, too
	about   func(*handler.StoreStatus) // adds to the status what the store reports about itself
	keeper  *keeper.Keeper
	events  *matrix.DelayedEvents // manages the delayed events of leaves; nil if delegation is off
	limits  leave.Limits
	named   config.ServerList // the servers whose users may delegate
	log     *slog.Logger
}

const (
	// outageGrace is how long clients may take to reconnect after an outage of
	// the SFU. If the SFU then says that a participant is gone, the service
	// asks once more, at most longestConfirm later.
	outageGrace    = 15 * time.Second
	longestConfirm = 15 * time.Second
	// probeEvery is the pause between two probes. A probe asks each server to
	// which the operator gave full access whether the service can still manage
	// delayed events there.
	probeEvery = 10 * time.Minute
	// countTime is how long /_status and the metrics wait for the number of
	// jobs.
	countTime = time.Second
)

// openLeaves opens the store of leaves and creates the keeper, unless
// delegation is off. Usually it takes some seconds at most. If another process
// is just closing the leave file, it takes up to 15 s. If the disk of the leave
// file does not answer, openLeaves waits until the disk answers or ctx ends.
func (s *shared) openLeaves(ctx context.Context) (leaves, error) {
	cfg := s.cfg
	if !cfg.Delegation {
		return leaves{}, nil
	}
	l := leaves{
		clock:  clock.New(),
		kind:   cfg.Store.Kind,
		limits: leave.Limits{PerUser: cfg.MaxJobsPerUser, All: cfg.MaxJobs, Named: cfg.Named},
		named:  cfg.FullAccess,
		events: s.newDelayedEvents(),
		log:    s.log,
	}
	if err := l.openStore(ctx, s); err != nil {
		return leaves{}, err
	}
	l.keeper = l.newKeeper(s)
	return l, nil
}

// on reports whether delegation is on.
func (l *leaves) on() bool { return l.keeper != nil }

func (l *leaves) openStore(ctx context.Context, common *shared) error {
	switch where := common.cfg.Store; where.Kind {
	case config.StoreFile:
		s, err := untilOpen(ctx, l.log, where.Path, func() (*filestore.Store, error) {
			return filestore.Open(ctx, where.Path, l.clock, l.log)
		})
		if err != nil {
			return err
		}
		l.about = func(about *handler.StoreStatus) {
			now := s.Status()
			about.SetAside, about.Repairs, about.Repaired = now.SetAside, now.Repairs, now.Why
			if now.Failing != "" {
				about.State, about.Cause = stateDegraded, text.Clip(now.Failing, maxCause)
			}
		}
		l.guard(ctx, s)
	case config.StoreRedis:
		o := common.redis()
		o.Clock = l.clock
		s, err := redisstore.Open(ctx, o)
		if err != nil {
			return err
		}
		l.board = s.Board()
		l.about = func(about *handler.StoreStatus) { about.SetAside = s.SetAside() }
		l.guard(ctx, s)
	default:
		l.store = memstore.New()
	}
	return nil
}

// guard puts a standby store in front of the real store. While the real store
// does not answer, the standby store keeps leaves in memory.
func (l *leaves) guard(ctx context.Context, behind standby.Behind) {
	l.standby = standby.New(ctx, behind, l.log, nil)
	l.store = l.standby
}

func (l *leaves) newKeeper(s *shared) *keeper.Keeper {
	cfg, counters := s.cfg, s.counters
	return &keeper.Keeper{
		Store:  counted{l.store, counters},
		Clock:  l.clock,
		SFU:    s.newSFUClient(),
		Events: l.events,
		Holder: holder(),
		Grace: leave.Grace{
			Reconnect: cfg.ReconnectGrace,
			Outage:    max(outageGrace, cfg.ReconnectGrace),
			Confirm:   min(longestConfirm, 2*cmp.Or(cfg.SanityCheckInterval, longestConfirm)),
		},
		Interval: cfg.SanityCheckInterval,
		Budget: &pace.Budget{Rate: cfg.DelayedEventRate, Unbound: l.events.Authenticates, Limited: func(server matrix.ServerName) {
			l.log.Warn("leave: the homeserver limits how often delayed events may be managed, so restarts and leaves wait; "+
				"raise rc_delayed_event_mgmt in its homeserver.yaml", "server", server.String())
		}},
		Degraded: l.degraded,
		Silent: func() {
			l.log.Warn("leave: participants join and leave on the SFU, but no webhook of the SFU has arrived here, so the service notices leaves late; " +
				"in livekit.yaml set webhook.urls to the address of this service's /sfu_webhook, and webhook.api_key to the key of this service")
		},
		Shared:    cfg.Store.Kind == config.StoreRedis,
		Log:       l.log,
		NodeAsked: counters.NodeAsked,
		Observe: func(action string, result matrix.Result, late time.Duration) {
			counters.LeaveAction(action, string(result), late)
			if result == matrix.ResultLimited {
				counters.Limited()
			}
		},
	}
}

// holder returns the name of this process. The name is unique among the
// processes that share a store.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "/" + rand.Text()[:12]
}

// newDelayedEvents returns a client that manages delayed events. It has its own
// connections. So requests for tokens do not have to wait while a homeserver
// answers slowly about delayed events. It shares one bound with the other clients: the
// bound on the memory for TLS handshakes with servers that the operator did not name
// (shared.strangers).
func (s *shared) newDelayedEvents() *matrix.DelayedEvents {
	return &matrix.DelayedEvents{
		APIs: &matrix.ClientAPIs{Overrides: s.cfg.ClientURLs, Servers: s.newServers()},
		Refused: func(server matrix.ServerName) {
			s.log.Warn("leave: the homeserver lets only a user with an access token manage delayed events, and this service has none; "+
				"the service takes over no leaves of that server's users", "server", server.String())
		},
	}
}

// counted is a store that also counts the claimed jobs in the metrics. A
// claimed job is one that the keeper takes from the store to act on its delayed
// event.
type counted struct {
	leave.Store
	counters metrics.Metrics
}

func (c counted) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	jobs, err := c.Store.Claim(ctx, holder, now, n)
	c.counters.Claimed(len(jobs))
	return jobs, err
}

// start runs the keeper until the caller calls end. end waits until running
// actions have ended. A second call of end does nothing.
func (l *leaves) start() (end func()) {
	if !l.on() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.keeper.Run(ctx) })
	running.Go(func() { l.probe(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// probe asks the servers to which the operator gave full access whether the
// service can manage delayed events there. It repeats this until ctx ends.
func (l *leaves) probe(ctx context.Context) {
	again := time.NewTicker(probeEvery)
	defer again.Stop()
	for {
		l.events.Probe(ctx, l.named.Servers)
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// close first writes all changes that are only in memory to the store. Then it
// closes the store.
func (l *leaves) close() {
	if !l.on() {
		return
	}
	if err := l.store.Close(); err != nil {
		l.log.Error("leave: the store could not be closed", "err", err)
	}
}

// delegation returns the settings of delegation, or nil if delegation is off.
func (l *leaves) delegation() *access.Delegation {
	if !l.on() {
		return nil
	}
	return &access.Delegation{
		Events: l.events, Keeper: l.keeper, Limits: l.limits, Now: l.clock.Now,
		Everyone: l.named.Everyone, Servers: l.named.Servers,
	}
}
