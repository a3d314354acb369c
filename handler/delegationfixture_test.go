package handler

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/access"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// fakeEvents is a fake of homeservers that manage delayed events. err is their
// answer. The servers in the field refusing require an access token.
type fakeEvents struct {
	err      error
	refusing map[string]bool
	asked    int
	event    matrix.DelayedEvent // the answer to a look-up, unless lookErr is set
	lookErr  error
	looked   int
}

func (e *fakeEvents) Manageable(_ context.Context, s matrix.ServerName) error {
	e.asked++
	if e.Refuses(s) {
		return matrix.ErrNeedsToken
	}
	return e.err
}

func (e *fakeEvents) LookUp(context.Context, matrix.UserID, matrix.DelayID) (matrix.DelayedEvent, error) {
	e.looked++
	return e.event, e.lookErr
}

func (e *fakeEvents) Refuses(s matrix.ServerName) bool { return e.refusing[s.String()] }

// fakeKeeper is a fake of package keeper. It records the jobs and the reports
// that the handler gives it. If err is set, every call returns err.
type fakeKeeper struct {
	mu      sync.Mutex
	jobs    []leave.Job
	limits  leave.Limits
	reports []sfu.Event
	err     error
}

func (k *fakeKeeper) Delegate(ctx context.Context, job leave.Job, limits leave.Limits) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	k.jobs, k.limits = append(k.jobs, job), limits
	return ctx.Err()
}

func (k *fakeKeeper) Report(ctx context.Context, e sfu.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reports = append(k.reports, e)
	return errors.Join(k.err, ctx.Err())
}

// delegating is a rig (a Handler with fakes) that takes over the leaves of
// users of example.org.
type delegating struct {
	*rig
	events *fakeEvents
	keeper *fakeKeeper
}

func newDelegating(t testing.TB) *delegating {
	d := &delegating{newRig(), &fakeEvents{refusing: map[string]bool{}}, &fakeKeeper{}}
	d.Delegation = &access.Delegation{
		Events: d.events, Keeper: d.keeper,
		Limits:  leave.Limits{PerUser: 3, All: 5},
		Servers: []matrix.ServerName{matrixtest.ServerName(t, homeserver)},
	}
	d.Observers = []Observer{d.keeper}
	return d
}

// with returns body, a JSON object, with more fields. members holds these
// fields as JSON without the braces.
func with(body, members string) string { return strings.TrimSuffix(body, "}") + "," + members + "}" }

// ask sends a request in which user hands over a leave. path selects one of
// three kinds of endpoints. members holds further fields of the body as JSON.
func (d *delegating) ask(path, user, members string) *httptest.ResponseRecorder {
	body := getTokenBody(user)
	if path == "/sfu/get" || path == "/" {
		body = sfuGetBody(user)
	}
	return d.serve("POST", path, with(body, members))
}

var delegatingPaths = []string{"/sfu/get", "/", "/get_token", routeDelegate}
