// Package leave keeps delegated leaves: delayed events (MSC4140) that clients
// hand over so that their member leaves the call when they no longer can say so
// themselves (MSC4195). A [Keeper] restarts them while the participant is on
// the SFU and sends them when it is gone. Wrongly emptying a member who is there
// is the worse of the two faults; one who stays for some seconds is the lesser.
//
//	          delegated
//	              │
//	              ▼
//	           Waiting ─────── nobody came in time ────────┐
//	              │ seen                                   │
//	              ▼                                        │
//	┌───────► Connected ◄──── back, or another session ─┐  │
//	│             │ reported or found gone              │  │
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
// decides is the SFU's answer when it is asked. An SFU that has restarted has
// forgotten who was there; its word of absence is not believed until clients
// have had time to come back.
//
// The jobs are in a [Store], which several processes may share. Every write is
// a compare-and-swap, and who works on a job holds a lease on it.
package leave
