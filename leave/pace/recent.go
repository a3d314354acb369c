package pace

import (
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"matrixrtc-auth/matrix"
)

// maxServers is how many homeservers a [recent] holds at most.
const maxServers = 4096

// recent holds a value for each homeserver that was used lately, for at most maxServers
// homeservers. One more homeserver pushes out the homeserver that was not used for the
// longest time. So a stranger who names many homeservers cannot push out a homeserver
// that is in use. The zero value is empty.
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
		r.servers, _ = simplelru.NewLRU[matrix.ServerName, V](maxServers, nil) // there is no error, because the size is not below 1
	}
	r.servers.Add(server, v)
}

func (r *recent[V]) forget(server matrix.ServerName) {
	if r.servers != nil {
		r.servers.Remove(server)
	}
}

// all returns the values of all homeservers.
func (r *recent[V]) all() []V {
	if r.servers == nil {
		return nil
	}
	return r.servers.Values()
}
