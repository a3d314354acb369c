package instruments

import "syscall"

// smallSegments limits the size of the TCP segments of a connection, so that
// its packets fit on every link of IPv4 and IPv6 (RFC 9293, "Maximum Segment
// Size Option").
func smallSegments(_, _ string, c syscall.RawConn) error {
	var fault error
	err := c.Control(func(fd uintptr) {
		fault = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, smallSegment)
	})
	if err != nil {
		return err
	}
	return fault
}
