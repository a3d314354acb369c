package standby

import "time"

// WithoutHaste returns s. It makes ClaimRooms of s return rooms in an outage only as
// often as at other times.
func WithoutHaste(s *Store) *Store {
	s.looks = 1000 * time.Hour
	return s
}
