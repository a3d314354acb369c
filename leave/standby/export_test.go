package standby

import "time"

// WithoutHaste has s give out rooms in an outage as often as outside of one.
func WithoutHaste(s *Store) *Store {
	s.looks = 1000 * time.Hour
	return s
}
