package memstore_test

import (
	"testing"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/memstore"
)

func TestConformance(t *testing.T) {
	leavetest.Run(t, func(*testing.T) leave.Store { return memstore.New() })
}
