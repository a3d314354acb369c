// Package faults tests delegated leaves on the real binary while what is
// around it breaks: the process is killed, the file damaged, Redis frozen, the
// homeserver or the SFU away. A world has a homeserver, whose delayed events
// really fire, an SFU, and processes of the service; its members delegate their
// leave and come and go. However it ends, two things hold: the leave of one who
// is in the call is neither sent nor fires, and that of one who has gone is
// sent, soon.
//
// The tests with Redis have the build tag redis: make test-redis.
package faults
