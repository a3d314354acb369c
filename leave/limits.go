package leave

import (
	"fmt"

	"matrixrtc-auth/matrix"
)

// Limits bound the number of jobs.
type Limits struct {
	PerUser int // the most jobs of one user (LIVEKIT_MAX_JOBS_PER_USER)
	All     int // the most jobs in all (LIVEKIT_MAX_JOBS)
	// Named reports whether the operator named a homeserver. The users of a named
	// homeserver may together have all jobs. If Named is nil, all homeservers
	// count as named.
	Named func(matrix.ServerName) bool
}

// Limits.All is divided by serverParts. The users of one homeserver that is not
// named may together have one such part. Without that bound, a homeserver could use
// up Limits.All by inventing users.
const serverParts = 4

// Share returns how many jobs all users of server may have together.
func (l Limits) Share(server matrix.ServerName) int {
	if l.Named == nil || l.Named(server) {
		return l.All
	}
	return max(l.All/serverParts, 1)
}

// LimitError says which limit a delegation would exceed.
type LimitError struct {
	Limit   string // "user", "share", "all", "homeserver", "outage" or "replaced"
	Setting string // the name of the variable that sets the limit, or a description of the limit
	Most    int    // the limit in jobs; 0 if it does not count jobs
}

func (e *LimitError) Error() string {
	text := "as many leaves are delegated as " + e.Setting + " allows"
	if e.Most > 0 {
		text += fmt.Sprintf(" (%d)", e.Most)
	}
	return text
}

// ErrManyReplaced refuses a delegation because too many earlier ones wait to be
// cancelled. If the service forgot an earlier leave, that leave would fire and end
// the present membership.
var ErrManyReplaced = &LimitError{
	Limit: "replaced", Most: maxReplaced,
	Setting: "the number of a participant's earlier leaves that its homeserver has not cancelled yet",
}
