// Package standby lets the service go on from memory while the store of delegated
// leaves does not answer: a frozen Redis, or a disk that sleeps or is full.
//
// A [Store] is put in front of another store. While the other store answers, it
// gets every call. The Store keeps a copy in memory of each job that this process
// accepted or worked on last. An outage begins when a call has no answer after a
// second, or when the answer says that the other store cannot work. From that call
// on, the Store answers all calls from the copies, without waiting. So the keeper
// goes on, and new jobs are accepted. Meanwhile the Store asks the other store again
// and again, with growing pauses. When the other store answers, the Store merges all
// changes into it, and the outage ends.
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
//     the outage [leave.Merged] merges the copy from memory with the stored job.
//     The result is the same whether the write has happened or not. A late
//     command finds another version and changes nothing.
//   - Versions from memory are marked, so they differ from all versions of the
//     store. A caller that has read a job from memory cannot write the job to the
//     store, and vice versa. The caller gets [leave.ErrConflict], and reads the
//     job again.
//   - Two replicas in an outage may have copies of one job. Both restart it,
//     which is harmless. Both may send it, after both have asked the SFU; the
//     homeserver tells the second one that the event is gone.
//   - The Store remembers each job that ended in an outage, and removes the job
//     from the other store after the outage. It does not remove a job that
//     another replica has restarted since, or that a later delegation has
//     replaced.
//   - If two replicas accept two delegations of one key, the later one stays and
//     cancels the earlier one ([leave.Job.Replacing]).
//   - A store that has lost its jobs ([leave.ErrForgotten]) gets all copies.
//
// A copy is kept until its job has ended, or until the job is overdue by one
// period. An overdue job shows that another replica works on the job or has seen
// its end.
//
// A store that has all its jobs in memory, such as a filestore, needs no copies
// ([Resident]). In an outage the store's own memory answers, with the usual
// versions. When the disk answers again, the Store writes the changes to the disk.
package standby
