// Package redisstore keeps delegated leaves in Redis (6.0 and later, Valkey, a Redis
// Cluster, or a server behind Sentinels), for several replicas.
//
// # Keys
//
// All keys are in one slot of a cluster. P is the prefix. These keys are for all jobs:
//
//	P{leave}:epoch    a random text; a server that has lost it gets another
//	P{leave}:writes   how many writes there were; a job's version is the number of
//	                  its last write
//	P{leave}:rooms    sorted set: when a claim of rooms last returned each room
//	P{leave}:present  hash: room → jobs whose participant is there
//	P{leave}:clock    what is added to the server's clock, if it has jumped
//
// A job is in one of two record formats. In the list, "lent" means leased to a replica.
// Version 0.2.0 knows only the first format:
//
//	P{leave}:jobs     hash: room and identity → lease and job
//	P{leave}:due      sorted set: when each job is due and not lent
//	P{leave}:index    sorted set: the jobs in the order of their rooms
//	P{leave}:counts   hash: user, homeserver or state → number and weight of jobs
//	P{leave}:accounts hash: room and identity → what the job adds to the counts
//
// The second format takes a quarter of the memory. An id of 14 bytes stands for room and
// identity. The ids of all jobs of a room begin with the same bytes:
//
//	P{leave}:2:jobs   hash: id → lease, what the job adds to the counts, job
//	P{leave}:2:due:N  sorted set: when each job is due and not lent; the room of a
//	                  job decides N, which is below 8192
//	P{leave}:2:heads  sorted set: N → when the first job in that set is due
//	P{leave}:2:counts hash: user, homeserver or state → number and weight of jobs
//	P{leave}:2:writes the count of writes at the last write of a replica that knows
//	                  the second format
//	P{leave}:2:since  the time since which no old replica has been at work, in
//	                  milliseconds
//
// Each process also has its own key: P{leave}:wrote: and a random name. This key holds
// the count of writes at the last write of the process. It expires after 25 hours
// without a write. The two keys of a [Board], P{leave}:sweep and P{leave}:brake, expire
// as well.
//
// # Two record formats
//
// An old replica is one whose version does not know the second format. It does not see
// the jobs in that format. So replicas write jobs in the second format only if no old
// replica has been at work for a minute. Otherwise they write jobs in the first format.
// Two signs show the scripts that an old replica is at work. First, the scripts put an
// entry without a job into P{leave}:due. Every claim of an old replica removes this
// entry. Second, a write of an old replica changes P{leave}:writes, but not
// P{leave}:2:writes.
//
// A script reads a job in either format. It writes a job in the format in which
// replicas must write at that time. Each claim moves some further jobs into that
// format, without a new version. If an old replica has written a job that also exists
// in the second format, there are two records of the job. They are merged before
// anything else happens to the job.
//
// The first bytes of a record in the second format say what the record adds to the
// counts. If somebody overwrites these bytes, the record stays counted until its room,
// or the whole format, has no job left.
//
// # Scripts
//
// Every access runs one of the scripts in the folder scripts. Only a claim in the
// second format runs two scripts. The first one returns which sets of due times have due
// jobs. A script gets every key in KEYS. It also gets a time after which it must do
// nothing. This is necessary because a frozen server or a stalled connection can run a
// command long after its sender has given up. The client sends no command twice. A
// failed call may still have changed a job. Its caller finds this out by the job's
// version.
//
// While a script writes a job, the changes of other callers wait. The next script makes
// all of these changes, and each caller gets its own result.
//
// # Lost jobs
//
// A server that restarts without its file loses all jobs. A server that restarts with
// an old file loses the last minutes. A replica of Redis that is promoted lacks what it
// had not received from the primary. So each script compares three things with what the
// caller has seen:
//   - the epoch, which is new after a loss;
//   - the count of writes, which never falls unless there was a loss;
//   - the count at the caller's own last write. It is needed because after a loss,
//     other replicas may have made more writes than were lost.
//
// If one of them does not fit, the script does nothing. Then every call returns
// [leave.ErrForgotten] until Merge was called with the jobs that this replica of the
// service still knows. Merge begins a new epoch. The other replicas notice the new
// epoch, and also call Merge.
//
// # Clocks
//
// Every caller gives and gets times by its own clock, which never jumps
// ([clock.Clock]). The stored times are by the store's time: the clock of Redis plus
// the correction in P{leave}:clock. Each replica translates between these two times. So
// replicas with different clocks agree on who holds a job until when. A replica ignores
// a difference of up to a second: if NTP sets the clocks, it translates nothing.
//
// If somebody sets the clock of Redis, or another server with another clock takes over,
// the replicas notice this, and correct the store's time. A replica that has started or
// made a correction within the last minute accepts a correction by other replicas. This
// is because such a replica may be wrong: after a pause of its whole machine, it
// wrongly believes that all other clocks have jumped.
package redisstore
