package standby

import "time"

// WithoutHaste makes s return rooms in an outage as seldom as without one. It returns
// s.
func WithoutHaste(s *Store) *Store {
	s.looks = 1000 * time.Hour
	return s
}
