// Package faults tests delegated leaves on the real program while things around
// it break: the process is killed, the file is damaged, Redis freezes, the
// homeserver or the SFU is away. A world has an SFU, processes of the service, and
// a homeserver that fires a delayed event (sends it by itself) when nobody has
// restarted its delay in time. Members of calls delegate their leaves, join and
// leave. At the end two conditions must hold. If a member is in the call, the
// service has not sent the member's leave, and the leave has not fired. If a member
// has left, the service sent the leave soon.
//
// The tests with Redis have the build tag redis: `make test-redis` runs them.
package faults
