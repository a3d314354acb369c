//go:build redis

package redistest

import "testing"

func TestThree(t *testing.T) {
	c := StartThree(t)
	c.Holder.Kill()
	c.AwaitPromoted(t)
}
