// Package breakages breaks a whole deployment in one way after the other and
// has doctor name the cause, from inside and from outside. `make breakages` runs
// it.
//
// The deployment is what setup writes for example.org: Synapse, LiveKit, the
// service and a reverse proxy, under real-looking names, with a certificate of
// an authority of its own. It has a network and a mount namespace to itself, in
// which it has the ports of a real one, a name server and an interface with a
// public address. Nothing leaves the namespace. It needs root, and Linux.
//
// A breakage is a deployment with one thing changed: a [deployment] is a value,
// and [world] starts anew what differs from the one before.
//
// Some faults cannot be made here, and the tests of doctor make them: a LiveKit in
// several networks of Docker, one without a node for a new room (alone it takes
// the room whatever its load), a store or a log that lost something, and other
// homeservers than Synapse (a proxy says so in its place). All programs have one
// clock: LiveKit's goes ahead by what is written into its memory, and in Synapse's
// place a proxy tells another time.
package breakages
