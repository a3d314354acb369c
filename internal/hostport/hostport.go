// Package hostport checks hosts and ports that operators write.
package hostport

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// Check returns an error that says what is wrong with the host or the port of u;
// nil if both are valid. The error quotes neither of them.
func Check(u *url.URL) error {
	host := u.Hostname()
	switch {
	case host == "":
		return errors.New("has no host")
	case !IsHost(host):
		return errors.New("has a host that is not valid (is a placeholder left in it?)")
	case u.Port() != "" && !IsPort(u.Port(), 1):
		return errors.New("has a port that is not a number from 1 to 65535")
	}
	return nil
}

// IsHost reports whether host is an IP address or a host name. It also accepts
// letters that are not ASCII, and '_', which the names of containers can have.
func IsHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
}

// IsPort reports whether text is a decimal number from lowest to 65535.
func IsPort(text string, lowest int) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && int(n) >= lowest
}

// IsAddress reports whether text has the form host:port.
func IsAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && IsHost(host) && IsPort(port, 1)
}
