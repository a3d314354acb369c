// Package standby lets the service go on from memory while the store of delegated
// leaves does not answer: a frozen Redis, or a disk that sleeps or is full.
//
// A [Store] stands in front of another store. While the other store answers, it gets
// every call. The Store keeps in memory a copy of each job that this process accepted
// or worked on last. An outage begins when a call has no answer after a second, or when
// the answer says that the other store cannot work. From that call on, the Store
// answers all calls from its copies, without waiting. So the keeper goes on, and the
// service accepts new jobs. Meanwhile the Store asks the other store again and again,
// with growing pauses. When the other store answers, the Store merges all changes into
// it. Then the outage ends.
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
//   - A write without an answer may have happened, or may happen later. After
//     the outage, [leave.Merged] merges the copy from memory with the stored job.
//     The result is the same whether the write has happened or not. A late
//     command finds another version, and so changes nothing.
//   - Versions from memory have a mark, so they differ from all versions of the
//     other store. If a caller has read a job from memory, it cannot write the job
//     to the other store, and vice versa. The caller gets [leave.ErrConflict], and
//     reads the job again.
//   - In an outage, two replicas may have copies of one job. Both restart the leave,
//     which is harmless. Both may send the leave, after both have asked the SFU.
//     Then the homeserver tells the second replica that the event is gone.
//   - The Store remembers each job that has ended in an outage. After the outage,
//     it removes the job from the other store. It does not remove the job if
//     another replica has restarted it since, or if a later delegation has
//     replaced it.
//   - If two replicas accept two delegations of one key, the later one stays and
//     cancels the earlier one ([leave.Job.Replacing]).
//   - A store that has lost its jobs ([leave.ErrForgotten]) gets all copies.
//
// The Store keeps a copy until its job has ended, or until the job is overdue by one
// period. If a job is overdue, another replica works on it, or has seen its end.
//
// A store that has all its jobs in memory, such as a filestore, needs no copies
// ([Resident]). In an outage, the store's own memory answers, with the usual versions.
// When the disk answers again, the Store writes the changes to the disk.
package standby
