package ratelimit

import "time"

// The size of a table: 512 KiB, of which the system hands out only what is
// used. With 10,000 keys in use one in a thousand finds its set full.
const (
	sets = 4096
	ways = 8
)

// entry remembers one key by its hash. Keys are not kept, so that nobody's name
// stays in memory and the garbage collector has nothing to look at; that two
// keys in use share a 64-bit hash, which a random seed keeps strangers from
// choosing, is not to be expected.
type entry struct {
	hash  uint64
	spent time.Duration
}

// table is a cache of entries. A key has its place in one set; if that is full,
// the key there gives way that has the least to lose: whose burst is whole
// again, or will be soonest. Who is over a limit cannot push their own entry
// out by inventing keys.
type table [sets][ways]entry

// find returns until when the key's burst is spent, 0 if it is unknown, and the
// place where its entry is or may be put.
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
