package main

import (
	"crypto/tls"
	"log/slog"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// newHandler puts the packages together as cfg says.
func newHandler(cfg *config.Config, log *slog.Logger, counters *metrics.Metrics) *handler.Handler {
	h := &handler.Handler{
		Verifier: newVerifier(cfg, counters),
		Rooms:    newRooms(cfg, counters),
		Minter:   token.NewMinter(cfg.Keys[0], cfg.TokenTTL),

		URL:                  cfg.LivekitURL,
		FullAccess:           cfg.FullAccess.Contains,
		CanPublish:           cfg.RemoteCanPublish.Contains,
		CanUpdateOwnMetadata: cfg.CanUpdateOwnMetadata,
		Named:                cfg.Named,

		Proxies: cfg.TrustedProxies,
		Log:     log,
		Metrics: counters,
		Version: buildVersion(),
	}
	if cfg.RateLimit != (config.RateLimit{}) {
		h.Users = ratelimit.New[matrix.UserID](ratelimit.Limit(cfg.RateLimit))
		h.Failures = handler.NewFailureLimiter()
	}
	return h
}

// newVerifier asks homeservers. Those that the operator named may be anywhere;
// all others must have public addresses, and share no connection with the named.
func newVerifier(cfg *config.Config, counters *metrics.Metrics) *matrix.Verifier {
	named := newTransport(cfg, &outbound.Dialer{})
	other := newTransport(cfg, &outbound.Dialer{
		Permit:  outbound.PublicOnly(cfg.AllowedNetworks),
		PerHost: maxPerHost,
	})
	return &matrix.Verifier{
		Resolver: &matrix.Resolver{
			Overrides:      cfg.FederationURLs,
			Named:          cfg.Named,
			NamedTransport: named,
			OtherTransport: other,
		},
		Timeout: cfg.OpenIDTimeout,
		Observe: counters.HomeserverAnswered,
	}
}

// maxPerHost bounds the connections to one address that strangers name, idle
// ones included: many homeservers share the addresses of one provider.
const maxPerHost = 128

func newTransport(cfg *config.Config, dialer *outbound.Dialer) *outbound.Transport {
	return &outbound.Transport{
		Dial: dialer.DialContext,
		TLS: &tls.Config{
			RootCAs:            cfg.RootCAs,
			InsecureSkipVerify: cfg.InsecureSkipVerifyTLS, // the operator knows what they are doing
			ClientSessionCache: tls.NewLRUClientSessionCache(0),
		},
	}
}

// newRooms asks the SFU.
func newRooms(cfg *config.Config, counters *metrics.Metrics) *sfu.Rooms {
	client := sfu.NewClient(cfg.APIURL, cfg.Keys[0], sfu.NewHTTPClient(cfg.RootCAs))
	client.Observe = func(_ string, took time.Duration, _ error) { counters.SFUAnswered(took) }
	return sfu.NewRooms(client)
}
