package access_test

import (
	"errors"
	"testing"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// TestALeaveBelongsToItsToken checks that the stored leave has the room and the
// identity of the token, with each form of identity.
func TestALeaveBelongsToItsToken(t *testing.T) {
	device := must(matrix.ParseDeviceID("D"))
	for name, form := range map[string]access.Form{"legacy": access.Legacy, "three parts": access.ThreeParts, "two parts": access.TwoParts} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			what := leaving(request())
			what.As.Form, what.As.Device = form, device
			if _, err := w.Delegate(t.Context(), proof("proxied", alice), what); err != nil {
				t.Fatal(err)
			}
			what.Leave = nil
			if _, err := w.Token(t.Context(), proof("proxied", alice), what); err != nil {
				t.Fatal(err)
			}
			if len(w.jobs) != 1 || w.jobs[0].Key != (leave.Key{Room: w.grant.Room, Identity: w.grant.Identity}) || w.jobs[0].User != user(alice) {
				t.Errorf("jobs %+v, want one of %s in %s", w.jobs, w.grant.Identity, w.grant.Room)
			}
		})
	}
}

// TestAProxiedLeaveIsLookedUp checks a leave that comes through the homeserver.
// Its delay must be the one that the homeserver names, whatever the client
// says.
func TestAProxiedLeaveIsLookedUp(t *testing.T) {
	fail := func(result matrix.Result) error { return &matrix.DelayError{Result: result, Err: errors.New("x")} }
	for _, tt := range []struct {
		name  string
		event matrix.DelayedEvent
		err   error
		delay time.Duration // the delay of the stored leave
		cause string
	}{
		{"as it is", matrix.DelayedEvent{Room: room, Delay: 18 * time.Second}, nil, 18 * time.Second, ""},
		{"too long", matrix.DelayedEvent{Room: room, Delay: 1 << 62}, nil, leave.MaxDelay, ""},
		{"the shortest", matrix.DelayedEvent{Room: room, Delay: leave.MinDelay}, nil, leave.MinDelay, ""},
		{"too short", matrix.DelayedEvent{Room: room, Delay: leave.MinDelay - 1}, nil, 0, access.DelegationShort},
		{"another room", matrix.DelayedEvent{Room: "!x:a.test", Delay: time.Hour}, nil, 0, access.DelegationUnknown},
		{"nobody's", matrix.DelayedEvent{}, fail(matrix.ResultGone), 0, access.DelegationUnknown},
		{"no answer", matrix.DelayedEvent{}, fail(matrix.ResultFailed), 0, access.DelegationLookUp},
		{"a wrong path", matrix.DelayedEvent{}, fail(matrix.ResultWrongPath), 0, access.DelegationLookUp},
		{"a token is required", matrix.DelayedEvent{}, fail(matrix.ResultNeedsToken), 0, access.DelegationLookUp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.event, w.gone = tt.event, tt.err
			_, err := w.Delegate(t.Context(), proof("proxied", alice), leaving(request()))
			e, refused := errors.AsType[*access.DelegationError](err)
			if refused != (tt.cause != "") || refused && e.Cause != tt.cause {
				t.Errorf("err = %v, want the cause %q", err, tt.cause)
			}
			if tt.cause == "" && (err != nil || len(w.jobs) != 1 || w.jobs[0].Delay != tt.delay) || tt.cause != "" && len(w.jobs) > 0 {
				t.Errorf("err = %v, jobs %+v, want a delay of %v", err, w.jobs, tt.delay)
			}
		})
	}
}

// TestWhoMayDelegate checks who may hand over a leave: the users of the
// homeserver that proxies requests, and the users with an OpenID token whose
// server has full access. Nobody else may hand over a leave.
func TestWhoMayDelegate(t *testing.T) {
	for _, tt := range []struct {
		name, way, user string
		listed          []string
		off             bool
		cause           string
	}{
		{"proxied", "proxied", alice, nil, false, ""},
		{"OpenID, listed", "openid", alice, []string{"a.test"}, false, ""},
		{"OpenID, not listed", "openid", alice, nil, false, access.DelegationAccess},
		{"proxied, switched off", "proxied", alice, nil, true, access.DelegationOff},
		{"OpenID, switched off", "openid", alice, []string{"a.test"}, true, access.DelegationOff},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.listed...)
			if tt.off {
				w.Delegation = nil
			}
			_, err := w.Delegate(t.Context(), proof(tt.way, tt.user), leaving(request()))
			e, refused := errors.AsType[*access.DelegationError](err)
			if refused != (tt.cause != "") || refused && e.Cause != tt.cause || (err == nil) != (len(w.jobs) == 1) {
				t.Errorf("err = %v, jobs %+v, want the cause %q", err, w.jobs, tt.cause)
			}
		})
	}
}
