package leave

import (
	"math"
	"time"
)

// Counts says how many jobs a [Store] holds, and how much load they make. Some of the
// numbers concern one user, for whom the caller has called Count.
type Counts struct {
	All    int
	OfUser int // how many jobs the user has
	// OfServer is how many jobs all users of the user's homeserver have together.
	OfServer int
	// ByState is the number of jobs in each of States. It has an entry even for a state
	// that no job is in.
	ByState map[State]int
	// Load is how many restarts per second are needed at least for the jobs of all users
	// of the user's homeserver.
	Load float64
	// LoadOfUser is the part of Load that comes from the user's own jobs.
	LoadOfUser float64
}

// States returns all states, in the order in which a job goes through them.
func States() []State { return []State{Waiting, Connected, Leaving, Sending, Cancelling} }

// Weight is the load of jobs in billionths of a restart per second (see [Load]). Weights
// are whole numbers, so a Store can add them up without rounding errors.
type Weight int64

const unit = 1e9 // the weight of one restart per second

// WeightOf returns the weight of a job with the given delay. It cuts the delay to
// milliseconds, as stores do. A delay below MinDelay counts as MinDelay. Only a damaged
// record has such a delay.
func WeightOf(delay time.Duration) Weight {
	return Weight(math.Round(Load(max(delay.Truncate(time.Millisecond), MinDelay)) * unit))
}

// Load returns w in restarts per second.
func (w Weight) Load() float64 { return float64(w) / unit }
