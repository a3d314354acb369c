package ratelimit

import "time"

// The size of a table: the number of sets, and of entries in each set. A table
// takes 512 KiB, but the system provides memory only for the part that is used.
// With 10,000 keys in use, one key in a thousand finds its set full.
const (
	sets = 4096
	ways = 8
)

// entry remembers one key by its hash. It does not hold the key itself, so no name
// stays in memory, and the garbage collector has nothing to scan. The 64-bit hash
// has a random seed, so strangers cannot choose keys that collide.
type entry struct {
	hash  uint64
	spent time.Duration
}

// table is a cache of entries. A key belongs to one set. If the set is full, a new
// key replaces the key that will soonest be allowed a whole burst again. So if a
// client's key is over the limit, the client cannot remove this key by inventing
// other keys.
type table [sets][ways]entry

// find returns the time that is stored for the key with this hash. From this time
// on, the key is again allowed a whole burst. If the key is unknown, the time is 0.
// find also returns the place for the key's entry.
func (t *table) find(hash uint64) (spent time.Duration, place *entry) {
	set := &t[hash%sets]
	place = &set[0]
	for i := range set {
		e := &set[i]
		if e.hash == hash {
			return e.spent, e
		}
		if e.spent < place.spent {
			place = e
		}
	}
	return 0, place
}
