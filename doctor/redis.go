package doctor

import (
	"context"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// redis sends PING to LiveKit's Redis, without which LiveKit does not start. If
// Redis does not answer doctor, but LiveKit runs, that is no fault. LiveKit
// then reaches Redis, perhaps over a network that this service is not in.
func (e livekitFile) redis(ctx context.Context) engine.Finding {
	address := e.livekit.Redis.Address
	if address == "" {
		return ok("redis.address is not set")
	}
	r := e.livekit.Redis
	err := e.look.PingRedis(ctx, instruments.Redis{Address: address, Username: r.Username, Password: r.Password, TLS: r.UseTLS || r.TLS.Enabled})
	switch {
	case err == nil:
		return ok("%s answers", clip(address))
	case e.acceptsKey(ctx):
		return ok("%s: %s, from here; LiveKit reaches it", clip(address), reason(err))
	}
	return found("livekit-redis", engine.Vars{"address": clip(address)}, "redis.address in livekit.yaml, %s: %s", clip(address), reason(err))
}
