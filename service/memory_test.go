package service

import (
	"fmt"
	"testing"
)

func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 200, 3 << 20: 200, 6 << 20: 200, 8 << 20: 150, 12 << 20: 100, 20 << 20: 60, 30 << 20: 40, 40 << 20: 30, 200 << 20: 25,
	} {
		t.Run(fmt.Sprintf("%d bytes", live), func(t *testing.T) {
			if got := percentFor(live); got != want {
				t.Errorf("with %d bytes alive: %d %%, want %d", live, got, want)
			}
		})
	}
}
