package leave

import (
	"math"
	"time"
)

// Counts is how many jobs a [Store] holds.
type Counts struct {
	All    int
	OfUser int // of the user who was asked about
	// OfServer is how many the users of the user's homeserver have together.
	OfServer int
	// ByState has every one of States, also those that no job is in.
	ByState map[State]int
	// Load is the restarts a second that the jobs of the user's homeserver
	// need at least, all of its users' together.
	Load float64
	// LoadOfUser is the part of it that the user's own need.
	LoadOfUser float64
}

// States are all the states, in the order of a job's life.
func States() []State { return []State{Waiting, Connected, Leaving, Sending, Cancelling} }

// Weight is a [Load] in billionths of a restart a second. Stores add it up:
// sums of whole numbers do not drift, however often a part comes and goes.
type Weight int64

const unit = 1e9 // of a Weight in a restart a second

// WeightOf is the weight of a job with that delay, to the millisecond, as it is
// stored. One that is shorter than may be delegated, which only a damaged
// record has, counts as the shortest.
func WeightOf(delay time.Duration) Weight {
	return Weight(math.Round(Load(max(delay.Truncate(time.Millisecond), MinDelay)) * unit))
}

// Load returns w in restarts a second.
func (w Weight) Load() float64 { return float64(w) / unit }
