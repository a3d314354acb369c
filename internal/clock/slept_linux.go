package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineSlept returns how much CLOCK_BOOTTIME, which goes on in a suspend, is
// ahead of Go's CLOCK_MONOTONIC. It reads the latter last, so that a delay
// makes the result less, not more.
func machineSlept() time.Duration {
	var boot, monotonic unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - monotonic.Nano())
}
