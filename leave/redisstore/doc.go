// Package redisstore keeps delegated leaves in Redis (6.0 and later, Valkey, a
// Redis Cluster, or a server behind Sentinels), for several replicas.
//
// # Keys
//
// All keys are in one slot of a cluster; P is the prefix. These hold for all jobs:
//
//	P{leave}:epoch    which life of the server this is
//	P{leave}:writes   how many writes there were; a job's version is its last
//	P{leave}:rooms    sorted set: when each room was last looked into
//	P{leave}:present  hash: room → jobs whose participant is there
//	P{leave}:clock    what is added to the server's clock, if it has jumped
//
// A job is in one of two forms. The first is that of version 0.2.0:
//
//	P{leave}:jobs     hash: room and identity → lease and job
//	P{leave}:due      sorted set: when each job is due and not lent
//	P{leave}:index    sorted set: the jobs in the order of their rooms
//	P{leave}:counts   hash: user, homeserver or state → jobs and what they weigh
//	P{leave}:accounts hash: room and identity → what the job is counted for
//
// The second takes a quarter of the memory. An id of 14 bytes stands for room and
// identity, and begins alike for all jobs of a room:
//
//	P{leave}:2:jobs   hash: id → lease, what the job is counted for, job
//	P{leave}:2:due:N  sorted set, N below 8192, by the room: when each job is due
//	                  and not lent; Redis keeps one with few members in one piece
//	P{leave}:2:heads  sorted set: N → when the first job there is due
//	P{leave}:2:counts hash: user, homeserver or state → jobs and what they weigh
//	P{leave}:2:writes the count of writes at the last of a replica that knows it
//	P{leave}:2:since  since when no replica is at work that does not, milliseconds
//
// Each process has one more, P{leave}:wrote: and a name of its own: the count of
// writes at its last one. It expires after 25 hours without a write. Two that
// expire, too, are the [Board]'s: P{leave}:sweep and P{leave}:brake.
//
// # Two forms
//
// A replica of a version that does not know the second form does not see what is
// in it. So jobs are written in the second only when no such replica has been at
// work for a minute; until then, and when one comes back, in the first. The
// scripts find out by two signs. They put a member without a job into P{leave}:due,
// and every claim of such a replica takes it out. And its writes are counted in
// P{leave}:writes alone.
//
// Each job is read wherever it is, and written where it belongs then. Claims move
// the rest, some at a time, without a new version. Where such a replica has written
// a job that is there in the second form, too, the two are merged before anything
// else is done with it.
//
// In the second form a record has in itself what it is counted for. If somebody
// overwrites its first bytes, so that it is no record any more, it stays counted
// until its room, or the whole form, has no job.
//
// # Scripts
//
// Every access is one of the scripts beside this file. Only a claim of the second
// form takes two: the first tells which parts of the due times have jobs that are
// due. Scripts get every key in KEYS and build none. Each carries the time after
// which it must do nothing, because a command sent to a server that is frozen, or
// behind a line that stalls, runs when that thaws, long after its sender has gone
// on without it.
// Nothing is sent twice: a call that failed may have happened, and its caller
// finds out by the version.
//
// While a script writes a job, the changes of other callers wait, and the next
// script makes all of them. Each caller has its own result.
//
// # Lost jobs
//
// A server that restarts without its file has forgotten everything, one that
// restarts with an old file the last minutes, one that was promoted what it had
// not received from the primary. Each script compares the epoch, which a new
// life begins with, the count of writes, which never falls in one life, and the
// count at the caller's own last write: others may have written since more than
// was lost. When they do not fit it does nothing, and every call returns
// [leave.ErrForgotten] until Merge has been called with what the replica still
// knows. Then the others see the new epoch, and do the same.
//
// # Clocks
//
// The times of jobs, when they are due and how long they are lent are the
// callers' to say, and every caller says it by its own clock, which never jumps
// ([clock.Clock]). Stored they are by the store's time, which is Redis': each
// replica translates from and to its own clock, so that replicas whose clocks
// differ agree on who holds a job until when. A difference of up to a second is
// left as it is: with clocks set by NTP nothing is translated.
//
// When Redis' clock is set, or another server with another clock takes over,
// the replicas see that it disagrees with their own, and correct the store's
// time by as much. A replica that has just come, or that has corrected the
// store's time within the last minute, believes the others when they correct
// it, too: a machine that was paused as a whole takes all others for wrong.
package redisstore
