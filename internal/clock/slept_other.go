//go:build !linux

package clock

import "time"

// machineSlept returns 0, because this operating system does not tell how long the
// machine has slept. So after the machine has slept, every planned action comes
// late by the time of the sleep.
func machineSlept() time.Duration { return 0 }
