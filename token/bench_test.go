package token_test

import (
	"testing"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/token"
)

// BenchmarkMint measures Mint. For comparison, it also measures how LiveKit's
// own library makes the same token.
func BenchmarkMint(b *testing.B) {
	b.Run("minter", func(b *testing.B) {
		m, now := token.NewMinter(key, time.Hour), time.Now()
		b.ReportAllocs()
		for b.Loop() {
			m.Mint(grant, now)
		}
	})
	b.Run("minter-parallel", func(b *testing.B) {
		m, now := token.NewMinter(key, time.Hour), time.Now()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.Mint(grant, now)
			}
		})
	})
	b.Run("livekit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := livekitMint(grant); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func livekitMint(g token.Grant) (string, error) {
	yes := true
	return auth.NewAccessToken(key.ID, apiSecret).
		SetIdentity(string(g.Identity)).
		SetValidFor(time.Hour).
		SetVideoGrant(&auth.VideoGrant{
			RoomJoin: true, Room: string(g.Room), CanSubscribe: &yes,
			CanPublish: &g.CanPublish, CanUpdateOwnMetadata: &g.CanUpdateOwnMetadata,
		}).
		ToJWT()
}
