package leave

import (
	"math"
	"time"
)

// Counts is how many jobs a [Store] holds.
type Counts struct {
	All    int
	OfUser int // the number of jobs of the user for whom Count was called
	// OfServer is how many jobs all users of that user's homeserver have together.
	OfServer int
	// ByState has an entry for each of States, even if no job is in that state.
	ByState map[State]int
	// Load is the least number of restarts a second that the jobs of all users of
	// that homeserver need.
	Load float64
	// LoadOfUser is the part of Load that the user's own jobs need.
	LoadOfUser float64
}

// States returns all states, in the order of a job's life.
func States() []State { return []State{Waiting, Connected, Leaving, Sending, Cancelling} }

// Weight is the load of jobs, in billionths of a restart a second (see [Load]). A
// Store adds weights up, and sums of whole numbers stay exact.
type Weight int64

const unit = 1e9 // the weight of one restart a second

// WeightOf returns the weight of a job with the given delay. The delay is cut to
// milliseconds, as stores keep it. A delay below MinDelay, which only a damaged
// record has, counts as MinDelay.
func WeightOf(delay time.Duration) Weight {
	return Weight(math.Round(Load(max(delay.Truncate(time.Millisecond), MinDelay)) * unit))
}

// Load returns w in restarts a second.
func (w Weight) Load() float64 { return float64(w) / unit }
