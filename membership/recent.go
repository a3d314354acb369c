package membership

import (
	"crypto/sha256"
	"sync"
	"time"

	"matrixrtc-auth/matrix"
)

const (
	// keepYes is how long an answer "yes" counts, from the time when its question
	// began.
	keepYes = 5 * time.Second
	// maxYes bounds how many answers the cache holds. Each takes about 100
	// bytes.
	maxYes = 50_000
)

// key stands for one question. It is a hash, so that all keys have the same
// size.
type key [16]byte

func keyOf(kind string, room matrix.RoomID, who string) key {
	sum := sha256.Sum256([]byte(kind + "\x00" + room.String() + "\x00" + who))
	return key(sum[:16])
}

// recent keeps each answer "yes" of a homeserver (the user is joined) for
// keepYes, in two maps. It adds new entries to the map young. When all entries of
// the map old have expired, it drops that map, and young becomes old. The zero value
// is ready.
type recent struct {
	mu         sync.Mutex
	young, old map[key]time.Duration // for each "yes", the time from began until the question
	began      time.Time             // the time from which young, old and turned are measured
	turned     time.Duration         // the time from began until the present map young was made
}

func (r *recent) has(k key, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := now.Sub(r.began)
	for _, generation := range []map[key]time.Duration{r.young, r.old} {
		if asked, ok := generation[k]; ok {
			return since-asked < keepYes
		}
	}
	return false
}

// add keeps the homeserver's answer "yes" to the question k. The parameter asked
// is when that question began. If there is no space for the answer, add drops it,
// and the next caller asks the homeserver again.
func (r *recent) add(k key, asked time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = asked
	}
	since := asked.Sub(r.began)
	if r.young == nil || since-r.turned >= keepYes {
		r.old, r.young, r.turned = r.young, map[key]time.Duration{}, since
	}
	if len(r.young) < maxYes/2 {
		delete(r.old, k)
		r.young[k] = since
	}
}

func (r *recent) drop(k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, k)
	delete(r.old, k)
}
