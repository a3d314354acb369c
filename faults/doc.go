// Package faults tests delegated leaves on the real program while things around
// it break: the process is killed, the file is damaged, Redis freezes, the
// homeserver or the SFU is away. A world has a homeserver whose delayed events
// really fire, an SFU, and processes of the service. Members of calls delegate
// their leaves, join and leave. At the end two things must hold. The leave of a
// member who is in the call was neither sent nor fired. The leave of a member
// who has gone was sent soon.
//
// The tests with Redis have the build tag redis: `make test-redis` runs them.
package faults
