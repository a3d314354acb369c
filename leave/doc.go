// Package leave says what becomes of a delegated leave. A leave is a delayed
// event (MSC4140) that ends the membership of a client's user in a call. A
// client delegates it to this service (MSC4195) for the case that the client
// can no longer send it itself. The service restarts the delay while the
// participant is on the SFU, and sends the leave when the participant is gone.
// To end the membership of somebody who is there is the worse mistake. To let a
// member stay for some seconds too long is the lesser one.
//
// A [Job] is one such leave. It is a value: this package does not wait, ask or
// write. Package presence asks the SFU, package pace says when homeservers may
// be asked, and the keeper works on the jobs of a [Store].
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
// forgotten who was there. So when it says that somebody is absent, that is not
// believed until clients have had time to reconnect.
//
// Several processes may share a store. Every write is a compare-and-swap, and a
// process holds a lease on a job while it works on it.
package leave
