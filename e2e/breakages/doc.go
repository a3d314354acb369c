// Package breakages breaks a whole deployment in many ways, one at a time, and checks
// that doctor names the cause, from inside and from outside. `make breakages` runs it.
//
// setup writes the deployment for example.org: Synapse, LiveKit, the service and a
// reverse proxy. They have realistic host names, and certificates of a test authority.
// The deployment runs in network and mount namespaces of its own. In them it has the
// ports of a real deployment, a name server, and an interface with a public address. No
// packet leaves the namespaces. The tests need root, and Linux.
//
// A breakage changes one thing in a [deployment], which is only a description. [world]
// then restarts the programs whose configuration differs from the previous deployment.
//
// Some faults cannot be made here, so the tests of doctor make them:
//
//   - a LiveKit in several Docker networks
//   - a LiveKit cluster without a node for a new room, because a single LiveKit
//     accepts rooms at any load
//   - a store or a log that has lost data
//   - homeservers other than Synapse, because here only a proxy pretends to be one
//
// All programs share one clock. To make LiveKit's clock wrong, the tests write into
// LiveKit's memory. For Synapse's clock, a proxy changes the time in Synapse's answers.
package breakages
