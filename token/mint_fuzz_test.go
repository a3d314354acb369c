package token_test

import (
	"testing"
	"time"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

func FuzzMint(f *testing.F) {
	f.Add("devkey", "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc", "@alice:example.com:DEVICE", true, false)
	f.Add("k", "?>~\x7f", "@\xff\"\\\u2028😀", false, true)
	f.Fuzz(func(t *testing.T, id, room, identity string, publish, update bool) {
		if identity == "" {
			return // if the identity is empty, the verifier reads another claim in its place
		}
		g := token.Grant{
			Room:                 sfu.Room(utf8Only(room)),
			Identity:             sfu.Identity(utf8Only(identity)),
			CanPublish:           publish,
			CanUpdateOwnMetadata: update,
		}
		m := token.NewMinter(sfu.Key{ID: id, Secret: key.Secret}, time.Hour)
		check(t, m.Mint(g, time.Now()), g)

		raw := g
		raw.Room, raw.Identity = sfu.Room(room), sfu.Identity(identity)
		check(t, m.Mint(raw, time.Now()), g)
	})
}

// utf8Only replaces every byte that is not UTF-8 by U+FFFD, as Mint does.
func utf8Only(s string) string { return string([]rune(s)) }
