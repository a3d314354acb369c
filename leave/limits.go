package leave

import (
	"fmt"

	"matrixrtc-auth/matrix"
)

// Limits bound the jobs.
type Limits struct {
	PerUser int // LIVEKIT_MAX_JOBS_PER_USER
	All     int // LIVEKIT_MAX_JOBS
	// Named reports whether the operator named a homeserver, whose users may
	// have all jobs there may be; nil: every one.
	Named func(matrix.ServerName) bool
}

// shares is in how many parts All is divided where nobody vouches: who runs a
// homeserver has as many users as they like.
const shares = 4

// Share returns how many jobs the users of server may have together.
func (l Limits) Share(server matrix.ServerName) int {
	if l.Named == nil || l.Named(server) {
		return l.All
	}
	return max(l.All/shares, 1)
}

// LimitError says which limit a delegation is over.
type LimitError struct {
	Limit   string // "user", "share", "all", "homeserver", "outage" or "replaced"
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
