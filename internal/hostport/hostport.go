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

// Check returns what is wrong with the host and the port of u. It does not
// repeat them.
func Check(u *url.URL) error {
	host := u.Hostname()
	switch {
	case host == "":
		return errors.New("has no host")
	case !IsHost(host):
		return errors.New("has a host that cannot be one (is a placeholder left in it?)")
	case u.Port() != "" && !IsPort(u.Port(), 1):
		return errors.New("has a port that is not a number from 1 to 65535")
	}
	return nil
}

// IsHost accepts IP addresses and host names. It also accepts names with '_',
// which containers have, and names with non-ASCII letters.
func IsHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
}

// IsPort accepts a decimal number from lowest to 65535.
func IsPort(text string, lowest int) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && int(n) >= lowest
}

// IsAddress accepts host:port.
func IsAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && IsHost(host) && IsPort(port, 1)
}
