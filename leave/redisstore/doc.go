// Package redisstore keeps delegated leaves in Redis (6.0 and later, Valkey, a
// Redis Cluster, or a server behind Sentinels), for several replicas.
//
// # Keys
//
// All keys are in one slot of a cluster; P is the prefix. These hold for all jobs:
//
//	P{leave}:epoch    a random text; a server that has lost it gets another
//	P{leave}:writes   how many writes there were; a job's version is the number of
//	                  its last write
//	P{leave}:rooms    sorted set: when a claim of rooms last returned each room
//	P{leave}:present  hash: room → jobs whose participant is there
//	P{leave}:clock    what is added to the server's clock, if it has jumped
//
// A job is in one of two forms. "Lent" means leased to a replica. Version 0.2.0
// knows only the first form:
//
//	P{leave}:jobs     hash: room and identity → lease and job
//	P{leave}:due      sorted set: when each job is due and not lent
//	P{leave}:index    sorted set: the jobs in the order of their rooms
//	P{leave}:counts   hash: user, homeserver or state → number and weight of jobs
//	P{leave}:accounts hash: room and identity → what the job adds to the counts
//
// The second form takes a quarter of the memory. An id of 14 bytes stands for room
// and identity. The ids of all jobs of a room begin with the same bytes:
//
//	P{leave}:2:jobs   hash: id → lease, what the job adds to the counts, job
//	P{leave}:2:due:N  sorted set: when each job is due and not lent; the room of a
//	                  job decides N, which is below 8192
//	P{leave}:2:heads  sorted set: N → when the first job in that set is due
//	P{leave}:2:counts hash: user, homeserver or state → number and weight of jobs
//	P{leave}:2:writes the count of writes at the last write of a replica that knows
//	                  the second form
//	P{leave}:2:since  since when no other replica has been at work, in milliseconds
//
// Each process has a key of its own, P{leave}:wrote: and a random name. It holds
// the count of writes at the last write of the process, and expires after 25 hours
// without a write. The two keys of a [Board], P{leave}:sweep and P{leave}:brake,
// expire, too.
//
// # Two forms
//
// An old replica, of a version that does not know the second form, does not see
// the jobs in that form. So jobs are written in the second form only if no old
// replica has been at work for a minute, and otherwise in the first form. Two signs
// show the scripts that an old replica is at work. They put a member without a job
// into P{leave}:due, which every claim of an old replica removes. And a write of an
// old replica changes P{leave}:writes, but not P{leave}:2:writes.
//
// A script reads a job in whichever form it is, and writes it in the form that is
// right now. Each claim moves some of the other jobs into that form, without a new
// version. If an old replica has written a job that also exists in the second form,
// the two records are merged before anything else happens to the job.
//
// A record of the second form contains what it adds to the counts. If somebody
// overwrites these first bytes, the record stays counted until its room, or the
// whole form, has no job left.
//
// # Scripts
//
// Every access runs one of the scripts in the folder scripts. Only a claim in the
// second form runs two: the first returns which sets of due times have due jobs. A
// script gets every key in KEYS. It also gets a time after which it must do
// nothing: a command to a frozen server, or over a stalled connection, may run long
// after its sender has given up. The client sends no command twice. A call that
// failed may have happened, and its caller finds out by the job's version.
//
// While a script writes a job, the changes of other callers wait. The next script
// makes all of them, and each caller gets its own result.
//
// # Lost jobs
//
// A server loses all jobs if it restarts without its file, and the last minutes if
// it restarts with an old file. A replica of Redis that is promoted lacks what it
// had not received from the primary. So each script compares three things with what
// the caller has seen:
//   - the epoch, which is new after a loss;
//   - the count of writes, which never falls unless there was a loss;
//   - the count at the caller's own last write, because others may have written
//     more since the loss than was lost.
//
// If one of them does not fit, the script does nothing, and every call returns
// [leave.ErrForgotten] until Merge was called with the jobs that the replica of the
// service still knows. Merge begins a new epoch. The other replicas notice that,
// and do the same.
//
// # Clocks
//
// Every caller gives and gets times by its own clock, which never jumps
// ([clock.Clock]). The stored times are by the store's time: Redis' clock and the
// correction in P{leave}:clock. Each replica translates between the two, so that
// replicas with different clocks agree on who holds a job until when. A difference
// of up to a second is ignored: if NTP sets the clocks, nothing is translated.
//
// If Redis' clock is set, or another server with another clock takes over, the
// replicas notice that, and correct the store's time by as much. A replica that has
// just started, or has corrected the store's time within the last minute, accepts
// a correction by others: a machine that was paused as a whole wrongly believes
// that all other clocks have jumped.
package redisstore
