package membership

import (
	"crypto/sha256"
	"sync"
	"time"

	"matrixrtc-auth/matrix"
)

const (
	// keepYes is how long a yes holds, from when it was asked for.
	keepYes = 5 * time.Second
	// maxYes bounds what is kept: about 100 bytes each.
	maxYes = 50_000
)

// key names one question. It is a hash, so that what is kept of a question has
// one size, whatever the length of its names.
type key [16]byte

func keyOf(kind string, room matrix.RoomID, who string) key {
	sum := sha256.Sum256([]byte(kind + "\x00" + room.String() + "\x00" + who))
	return key(sum[:16])
}

// recent keeps each yes for keepYes. It has two generations: the old one is
// thrown away as a whole when everything in it is over. The zero value is ready.
type recent struct {
	mu         sync.Mutex
	young, old map[key]time.Duration // since began, when it was asked for
	began      time.Time             // of the clock
	turned     time.Duration         // since began, when young was begun
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

// add keeps a yes that was asked for at asked. One that comes when there is no
// room is not kept: it is asked for again.
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
