package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineSlept is how much CLOCK_BOOTTIME, which goes on in a suspend, is ahead
// of CLOCK_MONOTONIC, which is Go's. The second is read after the first, so
// that a delay between the two makes it less, not more.
func machineSlept() time.Duration {
	var boot, monotonic unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - monotonic.Nano())
}
