package leave

import "fmt"

// Limits bound the jobs.
type Limits struct {
	PerUser int // LIVEKIT_MAX_JOBS_PER_USER
	All     int // LIVEKIT_MAX_JOBS
}

// LimitError says which limit a delegation is over.
type LimitError struct {
	Limit   string // "user", "all", "homeserver", "outage" or "replaced"
	Setting string // the variable that raises it
	Most    int    // jobs; 0 where it is not jobs that are counted
}

func (e *LimitError) Error() string {
	text := "as many leaves are delegated as " + e.Setting + " allows"
	if e.Most > 0 {
		text += fmt.Sprintf(" (%d)", e.Most)
	}
	return text
}

// ErrManyReplaced refuses a delegation rather than have one forgotten that
// would empty the member.
var ErrManyReplaced = &LimitError{
	Limit: "replaced", Most: maxReplaced,
	Setting: "the number of a participant's earlier leaves that its homeserver has not cancelled yet",
}
