package leave

import (
	"fmt"

	"matrixrtc-auth/matrix"
)

// Limits are the greatest numbers of jobs that a service accepts.
type Limits struct {
	PerUser int // how many jobs one user may have (LIVEKIT_MAX_JOBS_PER_USER)
	All     int // how many jobs there may be in total (LIVEKIT_MAX_JOBS)
	// Named reports whether the operator has named a homeserver in the configuration.
	// The users of a named homeserver together may have as many jobs as All allows. If
	// Named is nil, all homeservers count as named.
	Named func(matrix.ServerName) bool
}

// serverParts is the divisor of Limits.All for homeservers that are not named. The
// users of one such homeserver together may have a quarter of Limits.All. Without this
// limit, a homeserver could use up Limits.All with invented users.
const serverParts = 4

// Share returns how many jobs the users of server may have together.
func (l Limits) Share(server matrix.ServerName) int {
	if l.Named == nil || l.Named(server) {
		return l.All
	}
	return max(l.All/serverParts, 1)
}

// LimitError says which limit a delegation would exceed.
type LimitError struct {
	Limit   string // one of "user", "share", "all", "homeserver", "outage" and "replaced"
	Setting string // the name of the variable that sets the limit, or a description of the limit
	Most    int    // the greatest number of jobs; 0 if the limit does not count jobs
}

func (e *LimitError) Error() string {
	text := "as many leaves are delegated as " + e.Setting + " allows"
	if e.Most > 0 {
		text += fmt.Sprintf(" (%d)", e.Most)
	}
	return text
}

// ErrManyReplaced is the error for a delegation if the keeper must already cancel too
// many earlier leaves. The keeper must not forget any of these. A forgotten leave would
// fire and end the present membership.
var ErrManyReplaced = &LimitError{
	Limit: "replaced", Most: maxReplaced,
	Setting: "the number of a participant's earlier leaves that its homeserver has not cancelled yet",
}
