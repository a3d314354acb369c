package doctor

import (
	"strconv"

	"matrixrtc-auth/doctor/engine"
)

// judgeStore reports where the running service keeps leaves, and whether that
// store works. All its findings are warnings.
func judgeStore(s *serviceStatus) engine.Finding {
	store := s.Leaves.Store
	kind := clip(store.Kind)
	switch {
	case store.State == "degraded":
		return found("store-degraded", nil, "store %s: %s; %d changes are in memory alone", kind, clip(store.Cause), store.Unmerged)
	case store.Repairs > 0:
		return found("store-touched", engine.Vars{"count": strconv.Itoa(store.Repairs)}, "store %s: written anew %d times, the last time because: %s", kind, store.Repairs, clip(store.Repaired))
	case store.SetAside > 0:
		return found("store-set-aside", engine.Vars{"count": strconv.Itoa(store.SetAside)}, "store %s: %d records were no leaves", kind, store.SetAside)
	case kind == "":
		return na("no leaves are kept")
	}
	return ok("store %s, no record set aside, no repair", kind)
}

// judgeLog warns if the running service has lost lines of its log since its start.
func judgeLog(s *serviceStatus) engine.Finding {
	if s.Log.Dropped > 0 {
		return found("log-lost", engine.Vars{"count": strconv.FormatUint(s.Log.Dropped, 10)}, "%d lines of the log are lost since the start, %d wait: %s", s.Log.Dropped, s.Log.Waiting, clip(s.Log.Cause))
	}
	return ok("no line of the log is lost, %d wait", s.Log.Waiting)
}
