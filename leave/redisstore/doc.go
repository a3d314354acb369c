// Package redisstore keeps delegated leaves in Redis (6.0 and later, Valkey, a
// Redis Cluster, or a server behind Sentinels), for several replicas.
//
// # Keys
//
// Ten fixed keys, in one slot of a cluster, hold everything; P is the prefix:
//
//	P{leave}:epoch    which life of the server this is
//	P{leave}:writes   how many writes there were; a job's version is its last
//	P{leave}:jobs     hash: room and identity → lease and job
//	P{leave}:due      sorted set: when each job is due and not lent
//	P{leave}:rooms    sorted set: when each room was last looked into
//	P{leave}:index    sorted set: the jobs in the order of their rooms
//	P{leave}:present  hash: room → jobs whose participant is there
//	P{leave}:counts   hash: user, homeserver or state → jobs and what they weigh
//	P{leave}:clock    what is added to the server's clock, if it has jumped
//	P{leave}:accounts hash: room and identity → what the job is counted for
//
// Each process has one more, P{leave}:wrote: and a name of its own: the count of
// writes at its last one. It expires after 25 hours without a write. Two that
// expire, too, are the [Board]'s: P{leave}:sweep and P{leave}:brake.
//
// # Scripts
//
// Every access is one of the scripts beside this file. They get every key in
// KEYS and build none. Each carries the time after which it must do nothing,
// because a command sent to a server that is frozen, or behind a line that
// stalls, runs when that thaws, long after its sender has gone on without it.
// Nothing is sent twice: a call that failed may have happened, and its caller
// finds out by the version.
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
