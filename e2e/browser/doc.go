// Package browser contains the tests of the whole stack: Synapse, LiveKit,
// nginx, the service, and Element Call in Chromium. It needs the programs that
// e2e/install.sh installs. docs/testing.md says which parts are real.
package browser
