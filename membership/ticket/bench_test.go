package ticket_test

import (
	"testing"

	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

func BenchmarkSeal(b *testing.B) {
	s, t := ticket.NewSealer([]sfu.Key{key}), ordinary(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Seal(t, place)
	}
}

func BenchmarkOpen(b *testing.B) {
	s := ticket.NewSealer([]sfu.Key{key})
	text := s.Seal(ordinary(b), place)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Open(text, place); err != nil {
			b.Fatal(err)
		}
	}
}
