package pace

import (
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"matrixrtc-auth/matrix"
)

// maxServers is how many homeservers a [recent] knows.
const maxServers = 4096

// recent is what is known of the homeservers that were asked last. One more than
// maxServers has the one be forgotten that was not asked for longest: strangers
// can name any number of servers, but not have one be forgotten that is in use.
// The zero value is empty.
type recent[V any] struct {
	servers *simplelru.LRU[matrix.ServerName, V]
}

// get returns what is known of server, which is in use now.
func (r *recent[V]) get(server matrix.ServerName) (v V, ok bool) {
	if r.servers == nil {
		return v, false
	}
	return r.servers.Get(server)
}

func (r *recent[V]) set(server matrix.ServerName, v V) {
	if r.servers == nil {
		r.servers, _ = simplelru.NewLRU[matrix.ServerName, V](maxServers, nil) // fails for no places alone
	}
	r.servers.Add(server, v)
}

func (r *recent[V]) forget(server matrix.ServerName) {
	if r.servers != nil {
		r.servers.Remove(server)
	}
}

// all returns what is known of all of them.
func (r *recent[V]) all() []V {
	if r.servers == nil {
		return nil
	}
	return r.servers.Values()
}
