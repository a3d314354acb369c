package pace

import (
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"matrixrtc-auth/matrix"
)

// maxServers bounds the number of homeservers in a [recent].
const maxServers = 4096

// recent holds a value for each of the maxServers homeservers that were used last.
// A new homeserver replaces the one that was not used for the longest time. So a
// stranger who names many homeservers cannot remove a homeserver that is in use.
// The zero value is empty.
type recent[V any] struct {
	servers *simplelru.LRU[matrix.ServerName, V]
}

// get returns the value of server, and marks it as used.
func (r *recent[V]) get(server matrix.ServerName) (v V, ok bool) {
	if r.servers == nil {
		return v, false
	}
	return r.servers.Get(server)
}

func (r *recent[V]) set(server matrix.ServerName, v V) {
	if r.servers == nil {
		r.servers, _ = simplelru.NewLRU[matrix.ServerName, V](maxServers, nil) // NewLRU fails only for a size below 1
	}
	r.servers.Add(server, v)
}

func (r *recent[V]) forget(server matrix.ServerName) {
	if r.servers != nil {
		r.servers.Remove(server)
	}
}

// all returns all values.
func (r *recent[V]) all() []V {
	if r.servers == nil {
		return nil
	}
	return r.servers.Values()
}
