package standby

import "time"

// WithoutHaste makes s return rooms in an outage only as often as without an
// outage. It returns s.
func WithoutHaste(s *Store) *Store {
	s.looks = 1000 * time.Hour
	return s
}
