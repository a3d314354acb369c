//go:build !redis

package redisstore_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave/leavetest"
)

// The tests in this file run with a fake of Redis. With the build tag redis,
// real_test.go and realforms_test.go run the same tests, and more, with a real server.

func TestConformance(t *testing.T) {
	leavetest.Run(t, func(t *testing.T) leavetest.Store {
		return open(t, "redis://"+miniredis.RunT(t).Addr())
	})
}

func TestConformanceOfSecondForm(t *testing.T) {
	leavetest.Run(t, func(t *testing.T) leavetest.Store {
		return open(t, "redis://"+newSecond(t).Addr())
	})
}

func TestConformanceOfTwo(t *testing.T) {
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		url := "redis://" + miniredis.RunT(t).Addr()
		return open(t, url), open(t, url)
	})
}

// TestConformanceOfTwoInCluster tests two replicas that share a Redis Cluster. The jobs
// are stored in the newer record format (the second one).
func TestConformanceOfTwoInCluster(t *testing.T) {
	leavetest.RunShared(t, func(t *testing.T) (a, b leavetest.Store) {
		url := "redis://" + newSecond(t).Addr() + "?cluster=true"
		return open(t, url), open(t, url)
	})
}
