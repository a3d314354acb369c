package memstore_test

import (
	"testing"

	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/memstore"
)

func TestConformance(t *testing.T) {
	leavetest.Run(t, func(*testing.T) leavetest.Store { return memstore.New() })
}
