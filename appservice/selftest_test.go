package appservice_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

var hsToken = secret.New("hs-token-hs-token-hs-token-hs-token")

// homeserver is a fake homeserver whose methods return these errors. If an
// error is nil, that part of the self-test passes.
type homeserver struct {
	whoAmI, isJoined, federate, loop, ping, restart, send error
	answer                                                func(nonce string) []byte
	asked                                                 []string
}

const sender = "@rtc:example.org"

func mustUser(id string) matrix.UserID {
	user, err := matrix.ParseUserID(id)
	if err != nil {
		panic(err)
	}
	return user
}

func (h *homeserver) note(what string, err error) error {
	h.asked = append(h.asked, what)
	return err
}

func (h *homeserver) WhoAmI(context.Context) (matrix.UserID, error) {
	return mustUser(sender), h.note("whoami", h.whoAmI)
}

func (h *homeserver) IsJoined(context.Context, matrix.RoomID, matrix.UserID) (bool, error) {
	return false, h.note("is_joined", h.isJoined)
}

func (h *homeserver) CanFederate(context.Context) error { return h.note("fed_proxy", h.federate) }

func (h *homeserver) Ping(context.Context, string) error { return h.note("ping", h.ping) }

func (h *homeserver) Loop(_ context.Context, nonce string) (json.RawMessage, error) {
	if h.answer == nil {
		return appservice.AnswerLoop(hsToken, nonce, mustUser(sender)), h.note("loop", h.loop)
	}
	return h.answer(nonce), h.note("loop", h.loop)
}

func (h *homeserver) Restart(context.Context, matrix.UserID, matrix.DelayID) error {
	if h.restart == nil {
		return h.note("restart", &matrix.DelayError{Result: matrix.ResultGone, Err: errors.New("gone")})
	}
	return h.note("restart", h.restart)
}

func (h *homeserver) Send(context.Context, matrix.UserID, matrix.DelayID) error {
	if h.send == nil {
		return h.note("send", &matrix.DelayError{Result: matrix.ResultGone, Err: errors.New("gone")})
	}
	return h.note("send", h.send)
}

func status(code int, errcode string) error {
	return &matrix.AppServiceError{Cause: matrix.CauseStatus, Status: code, ErrCode: errcode, Err: errors.New("status " + errcode)}
}

var noAnswer = &matrix.AppServiceError{Cause: matrix.CauseConnect, Err: errors.New("connection refused")}

func delayed(result matrix.Result) error {
	return &matrix.DelayError{Result: result, Err: errors.New(string(result))}
}

func TestSelfTest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hs     homeserver
		part   string // the part that fails, "" for none
		remedy string
	}{
		{"all is well", homeserver{}, "", ""},
		{"away", homeserver{whoAmI: noAnswer}, "as_token", "start the homeserver"},
		{"another token", homeserver{whoAmI: status(401, "M_UNKNOWN_TOKEN")}, "as_token", "app_service_config_files"},
		{"not a homeserver", homeserver{whoAmI: status(404, "")}, "as_token", "LIVEKIT_CS_API_URL_OVERRIDES"},
		{"membership is off", homeserver{isJoined: status(404, "M_UNRECOGNIZED")}, "is_joined", "msc4502_enabled: true"},
		{"no scope", homeserver{isJoined: status(403, "M_FORBIDDEN")}, "is_joined", "io.element.msc4502.scopes"},
		{"federation is off", homeserver{federate: status(404, "M_UNRECOGNIZED")}, "fed_proxy", "msc4512_enabled: true"},
		{"no prefix", homeserver{federate: status(403, "M_FORBIDDEN")}, "fed_proxy", "proxy_prefix"},
		{"no delayed events", homeserver{restart: delayed(matrix.ResultFailed)}, "delayed_events", "max_event_delay_duration"},
		{"outside the namespace", homeserver{restart: delayed(matrix.ResultForbidden)}, "delayed_events", "namespaces.users"},
		{"no such route", homeserver{restart: delayed(matrix.ResultWrongPath)}, "delayed_events", "main process"},
		{"a worker, which restarts and does not send", homeserver{send: delayed(matrix.ResultWrongPath)}, "delayed_events", "LIVEKIT_CS_API_URL_OVERRIDES must lead to the main process"},
		{"nothing is passed on", homeserver{loop: status(404, "M_UNRECOGNIZED")}, "loop", "proxy_prefix"},
		{"two hs_tokens", homeserver{loop: status(403, "M_FORBIDDEN")}, "loop", "the same registration file"},
		{"another server name", homeserver{loop: status(400, "M_INVALID_PARAM")}, "loop", "LIVEKIT_HS_SERVER_NAME"},
		{"proxy_url leads nowhere", homeserver{loop: status(500, "M_UNKNOWN")}, "loop", "proxy_url"},
		{"a website at proxy_url", homeserver{answer: func(string) []byte { return []byte("<html>") }}, "loop", "proxy_url"},
		{"somebody who says yes to all", homeserver{answer: func(string) []byte { return []byte("{}") }}, "loop", "proxy_url"},
		{"another service", homeserver{answer: func(nonce string) []byte {
			return appservice.AnswerLoop(secret.New("other"), nonce, mustUser(sender))
		}}, "loop", "proxy_url"},
		{"an old answer", homeserver{answer: func(string) []byte { return appservice.AnswerLoop(hsToken, "old", mustUser(sender)) }}, "loop", "proxy_url"},
		{"another user", homeserver{answer: func(nonce string) []byte { return appservice.AnswerLoop(hsToken, nonce, mustUser("@a:b")) }}, "loop", "proxy_url"},
		{"no pushes", homeserver{ping: status(502, "M_BAD_STATUS")}, "push", "url in the registration file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result := appservice.SelfTest{Homeserver: &tt.hs, Events: &tt.hs, HSToken: hsToken, PushID: "rtc"}.Run(t.Context())
			var wrong []appservice.Check
			for _, c := range result.Checks {
				if !c.OK {
					wrong = append(wrong, c)
				}
			}
			if tt.part == "" {
				if len(wrong) > 0 || !result.Ready() || len(result.Checks) != 6 {
					t.Errorf("got %+v, want six parts that passed", result.Checks)
				}
				return
			}
			if len(wrong) != 1 || wrong[0].Part != tt.part || !strings.Contains(wrong[0].Remedy, tt.remedy) || wrong[0].Seen == "" || result.Ready() {
				t.Errorf("got %+v, want %s with the remedy %q", wrong, tt.part, tt.remedy)
			}
		})
	}
}

// TestSelfTestAsksWhatThereIs checks that the self-test skips requests that
// cannot succeed. If the homeserver refuses the token, the self-test makes no
// other request. If delegation is off, it sends no request about delayed
// events. If the registration has no url, it sends no ping.
func TestSelfTestAsksWhatThereIs(t *testing.T) {
	for _, tt := range []struct {
		name string
		hs   homeserver
		test appservice.SelfTest
		want string
	}{
		{"everything", homeserver{}, appservice.SelfTest{Events: &homeserver{}, PushID: "rtc"}, "whoami is_joined fed_proxy loop ping"},
		{"no url, no delegation", homeserver{}, appservice.SelfTest{}, "whoami is_joined fed_proxy loop"},
		{"no token", homeserver{whoAmI: status(401, "M_UNKNOWN_TOKEN")}, appservice.SelfTest{PushID: "rtc"}, "whoami"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.test.Homeserver, tt.test.HSToken = &tt.hs, hsToken
			tt.test.Run(t.Context())
			if got := strings.Join(tt.hs.asked, " "); got != tt.want {
				t.Errorf("asked for %s, want %s", got, tt.want)
			}
		})
	}
}

// hanging is a homeserver that never answers CanFederate.
type hanging struct{ homeserver }

func (hanging) CanFederate(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestSelfTestIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		result := appservice.SelfTest{Homeserver: &hanging{}, HSToken: hsToken}.Run(t.Context())
		if took := time.Since(start); took > 20*time.Second || result.Ready() {
			t.Errorf("ready %v after %v, want a fault within 20 s", result.Ready(), took)
		}
	})
}
