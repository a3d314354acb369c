// Package faults tests delegated leaves on the real program while things around
// it break: the process is killed, the file is damaged, Redis freezes, the
// homeserver or the SFU is away. A world has a homeserver whose delayed events
// really fire, an SFU, and processes of the service. Members of calls delegate
// their leaves, join and leave. At the end two conditions must hold. If a
// member is in the call, the member's leave was neither sent nor fired. If a
// member has left, the leave was sent soon.
//
// The tests with Redis have the build tag redis: `make test-redis` runs them.
package faults
