package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"matrixrtc-auth/doctor/engine"
)

// apart is the largest difference between two clocks for which doctor does not
// warn. LiveKit allows one minute when it checks this service's tokens. This
// service allows one minute for LiveKit's tokens.
const apart = 30 * time.Second

// clocks compares the clock of this machine with the clocks of the servers that
// have answered so far.
func (e service) clocks(context.Context) engine.Finding {
	ahead := e.look.Clocks()
	hosts := slices.Sorted(maps.Keys(ahead))
	if len(hosts) == 0 {
		return na("no server that answered told its time")
	}
	var seen []string
	v := engine.Vars{}
	for _, host := range hosts {
		if ahead[host].Abs() <= apart {
			continue
		}
		seen = append(seen, fmt.Sprintf("the clock of %s is %s", clip(host), difference(ahead[host])))
		if v["host"] == "" {
			v = engine.Vars{"host": host, "late": difference(ahead[host])}
		}
	}
	if len(seen) == 0 {
		return ok("%s have the time of this machine", clip(strings.Join(hosts, ", ")))
	}
	return found("clock-differs", v, "%s", clip(strings.Join(seen, "; ")))
}

func difference(ahead time.Duration) string {
	if ahead < 0 {
		return seconds(-ahead.Seconds()) + " behind this machine's"
	}
	return seconds(ahead.Seconds()) + " ahead of this machine's"
}
