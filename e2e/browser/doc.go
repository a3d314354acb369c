// Package browser holds the tests of the whole stack: Synapse, LiveKit, nginx,
// the service, and Element Call in Chromium. It needs what e2e/install.sh
// installs. docs/testing.md says what is real in it.
package browser
