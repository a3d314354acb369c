//go:build !race

// This file is not compiled with the race detector, because the race detector
// makes a sync.Pool drop items at random.

package token_test

import (
	"testing"
	"time"

	"matrixrtc-auth/token"
)

func TestMintAllocations(t *testing.T) {
	m, now := token.NewMinter(key, time.Hour), time.Now()
	if got := testing.AllocsPerRun(1000, func() { m.Mint(grant, now) }); got > 2 {
		t.Errorf("Mint allocates %v times, want one for the token and few more", got)
	}
}
