package outbound

import (
	"fmt"
	"net"
	"testing"
)

// BenchmarkPool takes an idle connection from a pool and puts it back, as each
// request does.
func BenchmarkPool(b *testing.B) {
	for _, idle := range []int{1, 8} {
		b.Run(fmt.Sprint(idle, " idle"), func(b *testing.B) {
			var p Pool
			p.init()
			t := &Transport{Pool: &p}
			route := Route{Scheme: "https", Addr: "matrix.example.org:443", TLSName: "matrix.example.org"}
			for range idle {
				ours, theirs := net.Pipe()
				defer theirs.Close()
				p.put(&conn{Conn: ours, socket: &socket{Conn: ours}, transport: t, route: route})
			}
			for b.Loop() {
				p.put(p.take(t, route, Asker{}))
			}
		})
	}
}
