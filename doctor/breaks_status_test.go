package doctor_test

import (
	"context"
	"maps"
	"net/http"
	"time"

	"matrixrtc-auth/handler"
	"matrixrtc-auth/sfu/sfutest"
)

func init() {
	maps.Copy(mixed, userMixed)
	maps.Copy(mixed, clockMixed)
}

// storing makes the running service report this status of its store.
func storing(store handler.StoreStatus) func(*stack) {
	return func(s *stack) {
		s.service = func(h *handler.Handler) {
			h.Leaves = func(context.Context) handler.LeaveStatus {
				return handler.LeaveStatus{RefusedBy: []string{}, SFUAnswers: true, Store: store}
			}
		}
	}
}

// shifted sets the header Date of answers to a time that differs from now by
// the given duration.
func shifted(by time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			next.ServeHTTP(w, r)
		})
	}
}

var statusBreaks = map[string]func(*stack){
	"store-degraded":  storing(handler.StoreStatus{Kind: "redis", State: "degraded", Cause: "connection refused", Unmerged: 2}),
	"store-touched":   storing(handler.StoreStatus{Kind: "file", State: "ok", Repairs: 3, Repaired: "the file was deleted"}),
	"store-set-aside": storing(handler.StoreStatus{Kind: "file", State: "ok", SetAside: 1}),
	"log-lost": func(s *stack) {
		s.service = func(h *handler.Handler) {
			h.LogStatus = func() handler.LogStatus {
				return handler.LogStatus{Waiting: 1, Dropped: 12, Cause: "no space left on device"}
			}
		}
	},
	"clock-differs": func(s *stack) { s.client = shifted(3 * time.Minute) },
}

// clockMixed are stacks in which clocks differ. Each entry lists all findings
// that doctor must report.
var clockMixed = map[string]mix{
	"a homeserver that is late": {
		func(s *stack) { s.fed = shifted(-2 * time.Hour) },
		[]string{"service.clock clock-differs"},
	},
	"a clock that differs by seconds": {
		func(s *stack) { s.client = shifted(10 * time.Second) },
		nil,
	},
	"a document that a cache has kept for an hour": {
		func(s *stack) {
			s.wellKnown = func(string) http.Handler { return adding("Age", "3600", shifted(-time.Hour)(document(goodDocument))) }
		},
		nil,
	},
	"LiveKit is late": {
		func(s *stack) {
			apiAnswers(http.StatusUnauthorized, "invalid token: x, error: token has invalid claims: token is not valid yet")(s)
			s.livekit = around(s.livekit, shifted(-3*time.Minute))
		},
		[]string{"sfu.api sfu-clock"},
	},
	"LiveKit goes before, which shows in its webhooks": {
		func(s *stack) {
			s.flaws = []sfutest.Flaw{sfutest.Aged(-3 * time.Minute)}
			s.livekit = shifted(3 * time.Minute)
		},
		[]string{"webhook.round_trip sfu-clock"},
	},
	"clients get to a LiveKit whose clock is wrong": {
		func(s *stack) {
			s.sfuProxy = at("/rtc/validate", func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "invalid token: x, error: token has invalid claims: token is expired", http.StatusUnauthorized)
			})
			s.anonymous()
		},
		[]string{"sfu.public_room sfu-clock"},
	},
}

// around returns a function that wraps a handler first with inner and then with
// outer.
func around(inner, outer func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return outer(inner(next)) }
}
