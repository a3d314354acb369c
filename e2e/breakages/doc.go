// Package breakages breaks a whole deployment in many ways, one at a time, and
// checks that doctor names the cause, from inside and from outside. `make
// breakages` runs it.
//
// The deployment is the one that setup writes for example.org: Synapse,
// LiveKit, the service and a reverse proxy, under realistic names, with a
// certificate of its own authority. It has its own network and mount
// namespaces. In them it has the ports of a real deployment, a name server, and
// an interface with a public address. Nothing leaves the namespaces. It needs
// root, and Linux.
//
// A breakage is a deployment with one change. A [deployment] is a value, and
// [world] restarts only the parts that differ from the deployment before.
//
// Some faults cannot be made here, and the tests of doctor make them: a LiveKit
// in several networks of Docker, a LiveKit cluster without a node for a new
// room (a single LiveKit accepts the room whatever its load), a store or a log
// that has lost something, and other homeservers than Synapse (a proxy pretends
// to be one). All programs share one clock. To make LiveKit's clock wrong, the
// tests write into its memory; for Synapse's clock, a proxy changes the time in
// its answers.
package breakages
