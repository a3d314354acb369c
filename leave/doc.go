// Package leave says what becomes of a delegated leave. A leave is a delayed
// event (MSC4140) that ends the membership of a client's user in a call. A
// client delegates the leave to this service (MSC4195) for the case that the
// client can no longer send it. The service restarts the delay while the
// participant is on the SFU, and sends the leave when the participant is gone.
// It is a bad mistake to end the membership of somebody who is there. It is a
// small mistake to let a member stay for some seconds too long.
//
// A [Job] is one such leave. A Job is a value: this package does not wait, ask
// or write. Package presence asks the SFU, package pace says when homeservers
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
// Webhooks are only hints: they may be lost, doubled, late or out of order. The
// SFU's answer to a question decides ([Answer]). An SFU that has restarted has
// forgotten who was there. So nobody counts as absent until clients have had
// time to reconnect.
//
// Several processes may share a store. Every write is a compare-and-swap, and a
// process holds a lease on a job while it works on it.
package leave
