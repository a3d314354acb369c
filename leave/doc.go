// Package leave says what becomes of a delegated leave: a delayed event (MSC4140)
// that a client hands over so that its member leaves the call when the client
// no longer can say so itself (MSC4195). It is restarted while the participant
// is on the SFU and sent when it is gone. Wrongly emptying a member who is there
// is the worse of the two faults; one who stays for some seconds is the lesser.
//
// A [Job] is one such leave, and a value: nothing here waits, asks or writes.
// What does so stands beside: presence asks the SFU, pace says when homeservers
// may be asked, and the keeper works on the jobs of a [Store].
//
//	          delegated
//	              │
//	              ▼
//	           Waiting ─────── nobody came in time ────────┐
//	              │ seen                                   │
//	              ▼                                        │
//	┌───────► Connected ◄──── back, or another session, ┐  │
//	│             │           or its node has it again  │  │
//	│             │ reported gone, found gone,          │  │
//	│             │ or no node has it, asked twice      │  │
//	│             ▼                                     │  │
//	│          Leaving ──── asked: there ───────────────┤  │
//	│             │ grace over, asked: gone             │  │
//	│             ▼                                     │  │
//	│          Sending ◄────────────────────────────────┼──┘
//	│             │ asked before each try: there ───────┘
//	│             ▼
//	│           ended: sent, refused, or no longer there
//	│             │ it had replaced others
//	│             ▼
//	│         Cancelling, until they are cancelled
//	│
//	└── restarts go on in every state until a send is decided
//
// Webhooks are hints: they may be lost, doubled, late and out of order. What
// decides is the SFU's answer when it is asked ([Answer]): what it has on record,
// and where that may be wrong, what the participant's own node says. An SFU that
// has restarted has forgotten who was there; its word of absence is not believed
// until clients have had time to come back.
//
// Several processes may share a store. Every write is a compare-and-swap, and
// who works on a job holds a lease on it.
package leave
