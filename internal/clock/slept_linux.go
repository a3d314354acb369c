package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineSlept returns how far CLOCK_BOOTTIME is ahead of Go's CLOCK_MONOTONIC,
// which stands still while the machine sleeps. It reads CLOCK_MONOTONIC last,
// so a delay makes the result smaller, not larger.
func machineSlept() time.Duration {
	var boot, monotonic unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - monotonic.Nano())
}
