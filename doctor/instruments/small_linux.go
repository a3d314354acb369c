package instruments

import "syscall"

// smallSegments has a connection ask the other side for segments of so few bytes
// that every packet fits wherever IPv4 and IPv6 lead (RFC 9293, "Maximum Segment
// Size Option": what everybody takes).
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
