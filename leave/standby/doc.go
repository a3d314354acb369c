// Package standby goes on from memory when the store of delegated leaves does
// not answer: a frozen Redis, a sleeping or full disk.
//
// A [Store] stands before another. While that answers, every call is its, and
// of each job that this process accepted or worked on last a copy is kept in
// memory. A call that has no answer after a second, or one that says that the
// store cannot do its work, begins an outage: this call and all that follow
// are answered from the copies, without waiting. Jobs are worked on, and new
// ones accepted, as if nothing were amiss. Meanwhile the store is asked again,
// with growing pauses; when it answers, what has changed is merged into it, and
// the outage ends.
//
//	            no answer for a second, a failure, or ErrForgotten
//	     ┌────────────────────────────────────────────────────────────┐
//	┌────┴─────────────────┐                     ┌────────────────────▼──┐
//	│ the store answers,   │                     │ memory answers,       │
//	│ memory keeps copies  │                     │ the store is asked …  │
//	└────▲─────────────────┘                     └────────────────────┬──┘
//	     └────────────────────────────────────────────────────────────┘
//	            … and answers, and everything is merged into it
//
// # Why this is safe
//
//   - A write without an answer may have happened, or may happen later. The
//     job is written again from memory, by [leave.Merged], which makes no
//     difference between once and twice; a late command finds another version.
//   - Versions from memory are marked, and never pass for versions of the
//     store, nor the other way round: who read a job on one side and writes it
//     on the other is told [leave.ErrConflict], reads again, and goes on.
//   - Two replicas that are both without the store may hold copies of one job.
//     Both restart it, which is harmless; both send it, after both have asked
//     the SFU, and the homeserver answers the second that it is done.
//   - A job that ended in an outage is remembered until the store is back and
//     is removed there, unless another replica knows better: it has restarted
//     it since, or a later delegation has taken its place.
//   - Of two delegations of one key, accepted by two replicas, the later stays
//     and has the earlier cancelled ([leave.Job.Replacing]).
//   - A store that has lost its jobs ([leave.ErrForgotten]) is given every copy.
//
// A copy is kept until its job has ended, or until it is overdue by a period:
// then another replica works on it, or has seen its end.
//
// A store that has its jobs in memory anyhow, as a file's has, is not copied
// ([Resident]): its own memory goes on, with its own versions, and what it could
// not write down is written when its disk is back.
package standby
