package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineSlept returns how long the machine has slept since it was started.
// CLOCK_BOOTTIME counts sleep. CLOCK_MONOTONIC, which Go uses, does not count
// sleep. So the result is the difference between the two clocks. machineSlept reads
// CLOCK_MONOTONIC last, so that a delay between the readings makes the result
// smaller, not larger.
func machineSlept() time.Duration {
	var boot, monotonic unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - monotonic.Nano())
}
