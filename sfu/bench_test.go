package sfu_test

import (
	"testing"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

func BenchmarkEnsure(b *testing.B) {
	rooms := sfu.NewRooms(&creator{})
	fresh := func(b *testing.B) {
		if _, err := rooms.Ensure(b.Context(), "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc"); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("confirmed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fresh(b)
		}
	})
	b.Run("confirmed-parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				fresh(b)
			}
		})
	})
}

func BenchmarkCreateRoom(b *testing.B) {
	server := sfutest.NewServer(key)
	defer server.Close()
	http := sfu.NewHTTPClient(nil, nil)
	defer http.CloseIdleConnections()
	client := sfu.NewClient(server.APIURL(), sfu.Always(key), http)
	b.ReportAllocs()
	for b.Loop() {
		if err := client.CreateRoom(b.Context(), "room"); err != nil {
			b.Fatal(err)
		}
	}
}
