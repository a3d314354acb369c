package leave

import (
	"math"
	"time"
)

// Counts is how many jobs a [Store] holds.
type Counts struct {
	All    int
	OfUser int // the number of jobs of the user in question
	// OfServer is how many jobs all users of the user's homeserver have.
	OfServer int
	// ByState has an entry for each of States, also if no job is in that state.
	ByState map[State]int
	// Load is the least number of restarts a second that all jobs of the user's
	// homeserver need.
	Load float64
	// LoadOfUser is the part of Load that the user's own jobs need.
	LoadOfUser float64
}

// States returns all states, in the order of a job's life.
func States() []State { return []State{Waiting, Connected, Leaving, Sending, Cancelling} }

// Weight is a [Load] in billionths of a restart a second. Stores add weights
// up, and sums of whole numbers do not drift.
type Weight int64

const unit = 1e9 // the weight of one restart a second

// WeightOf returns the weight of a job with that delay. The delay is cut to
// milliseconds, as stores keep it. A delay below MinDelay, which only a damaged
// record has, counts as MinDelay.
func WeightOf(delay time.Duration) Weight {
	return Weight(math.Round(Load(max(delay.Truncate(time.Millisecond), MinDelay)) * unit))
}

// Load returns w in restarts a second.
func (w Weight) Load() float64 { return float64(w) / unit }
