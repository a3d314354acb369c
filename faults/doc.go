// Package faults tests delegated leaves on the real program while things around
// it break: the process is killed, the file is damaged, Redis freezes, the
// homeserver or the SFU is away. A world has a homeserver whose delayed events
// really fire, an SFU, and processes of the service. Its members delegate their
// leaves, and come and go. At the end two things must hold: the leave of a
// member in the call was neither sent nor fired, and the leave of a member who
// has gone was sent soon.
//
// The tests with Redis have the build tag redis: make test-redis.
package faults
