package standby

import "time"

// WithoutHaste returns s. In an outage, ClaimRooms of s usually returns each room more
// often than at other times. WithoutHaste turns this off.
func WithoutHaste(s *Store) *Store {
	s.looks = 1000 * time.Hour
	return s
}
