package metrics

import "time"

// The answers of homeservers to the question whether somebody is joined, for
// [Metrics.MembershipAsked].
const (
	Joined    = "joined"
	NotJoined = "not_joined"
	Unknown   = "unknown"
)

// The reasons why the guard did not remove a person who is not joined, for
// [Metrics.NotRemoved]. The brake stops the guard if it would remove too many
// people within a minute.
const (
	HeldByBrake = "brake"
	SFUFailed   = "sfu"
)

// membership are the metrics of the guard, which removes people from calls if they
// are not joined to the Matrix room.
type membership struct {
	questions, removals, failures counters
	lost                          counters
	sweeps                        timing
}

func (m *Metrics) addMembership() {
	m.membership = membership{
		questions: m.counters("membership_questions_total", "Questions whether somebody on the SFU is joined to the Matrix room, by answer; unknown: there was none.", "answer"),
		removals:  m.counters("membership_removals_total", "Sessions removed from the SFU, by what led to it.", "reason"),
		failures:  m.counters("membership_removals_failed_total", "Sessions that were to be removed and were not, by cause: the brake, or the SFU did not.", "cause"),
		lost:      m.counters("membership_overflow_total", "Reports of joins and events that there was no room for; sweeps make up for them."),
		sweeps: m.timing("membership_sweep_seconds", "How long a sweep over everybody on the SFU took.",
			[]float64{.05, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}),
	}
	m.membership.lost.add(0)
	m.membership.sweeps.begin()
	m.membership.questions.begin(Joined, NotJoined, Unknown)
	m.membership.removals.begin("join", "push", "sweep")
	m.membership.failures.begin(HeldByBrake, SFUFailed)
}

// MembershipAsked counts one question to a homeserver whether somebody is joined.
// The label is the homeserver's answer.
func (m Metrics) MembershipAsked(answer string) {
	m.membership.questions.inc(answer)
}

// Removed counts a session that was removed from the SFU. The reason is join,
// push or sweep.
func (m Metrics) Removed(reason string) {
	m.membership.removals.inc(reason)
}

// NotRemoved counts a session that the guard should have removed, but did not.
// cause is [HeldByBrake] or [SFUFailed].
func (m Metrics) NotRemoved(cause string) {
	m.membership.failures.inc(cause)
}

// MembershipLost counts a report of LiveKit or an event of a homeserver that the
// guard dropped, because its queue was full.
func (m Metrics) MembershipLost() {
	m.membership.lost.inc()
}

// Swept observes how long a sweep took. In a sweep, the guard checks everybody who
// is on LiveKit.
func (m Metrics) Swept(took time.Duration) {
	m.membership.sweeps.observe(took)
}
