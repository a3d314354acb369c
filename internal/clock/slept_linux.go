package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineSlept returns how long the machine has slept since its start: how far
// CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC, Go's clock, which stands still in sleep.
// It reads CLOCK_MONOTONIC last, so that a delay makes the result smaller, not larger.
func machineSlept() time.Duration {
	var boot, monotonic unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - monotonic.Nano())
}
