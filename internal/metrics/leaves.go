package metrics

import "time"

// leaves are the metrics of delegated leaves.
type leaves struct {
	refused  counters
	webhooks counters
	actions  counters
	lateness timing
	claims   counters
	limited  counters
	nodes    counters
}

func (m *Metrics) addLeaves() {
	m.leaves = leaves{
		refused:  m.counters("delegations_refused_total", "Delegated leaves refused because of a limit: user, share, all, homeserver, outage or replaced.", "limit"),
		webhooks: m.counters("webhooks_total", "Webhooks by result: ok, or why they are not the SFU's.", "result"),
		actions:  m.counters("leave_actions_total", "Requests to manage a delayed event by action and result.", "action", "result"),
		lateness: m.timing("leave_lateness_seconds", "How long after it was due an action began.",
			[]float64{.01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}, "action"),
		claims:  m.counters("leave_claims_total", "Jobs taken in hand."),
		limited: m.counters("leave_limited_total", "Answers 429 to the management of delayed events."),
		nodes:   m.counters("sfu_node_answers_total", "What came of asking the SFU's node of a participant: answers (it is there), refuses (no node has it), gone (the same a second time, and the SFU has it on record: the node is dead or cut off), silent (not at once) or failed.", "answer"),
	}
	m.leaves.claims.add(0)
	m.leaves.limited.add(0)
	m.leaves.webhooks.begin("ok")
	m.leaves.nodes.begin("answers", "refuses", "silent", "gone", "failed")
}

// DelegationRefused counts a leave that was refused because of a limit. limit is
// the field Limit of the leave.LimitError: user, share, all, homeserver, outage or
// replaced.
func (m Metrics) DelegationRefused(limit string) {
	m.leaves.refused.inc(limit)
}

// Webhook counts a webhook by result, which is "ok" or the cause of its
// rejection.
func (m Metrics) Webhook(result string) {
	m.leaves.webhooks.inc(result)
}

// LeaveAction counts one request about a delayed event. The parameter late is how
// long after its planned time the request began.
func (m Metrics) LeaveAction(action, result string, late time.Duration) {
	m.leaves.actions.inc(action, result)
	m.leaves.lateness.observe(late, action)
}

// NodeAsked counts one question to the LiveKit node of a participant. answer is one
// of leave.NodeResults.
func (m Metrics) NodeAsked(answer string) {
	m.leaves.nodes.inc(answer)
}

// Claimed counts jobs that this process has claimed.
func (m Metrics) Claimed(jobs int) {
	m.leaves.claims.add(jobs)
}

// Limited counts an answer of a homeserver with the status 429.
func (m Metrics) Limited() {
	m.leaves.limited.inc()
}
