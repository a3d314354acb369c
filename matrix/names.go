package matrix

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"matrixrtc-auth/internal/text"
)

// maxIDBytes is the most bytes that a user, room or device id may have,
// including sigil and domain (appendices, "Identifier Grammar").
const maxIDBytes = 255

// maxQuoted is how many bytes of an invalid name an error contains.
const maxQuoted = 64

// ServerName is the name of a homeserver, which comes after the colon in a user
// id. It is a DNS name or an IP literal, with or without a port (Matrix
// appendices, "Server Name"). Names are compared byte by byte. So "a.org" and
// "a.org:443" are two servers, and "a.org" and "A.org" are two servers, too.
// The zero value names no server. All other values come from ParseServerName.
type ServerName struct{ name string }

// ParseServerName returns the ServerName for name. It checks that name has the
// form hostname [":" 1*5DIGIT], where hostname = IPv4 / "[" IPv6 "]" /
// 1*255(A-Za-z0-9-.).
func ParseServerName(name string) (ServerName, error) {
	host, port := splitPort(name)
	if err := checkHost(host); err != nil {
		return ServerName{}, fmt.Errorf("%q is not a server name: %w", text.Clip(name, maxQuoted), err)
	}
	if strings.Contains(name[len(host):], ":") && !validPort(port) {
		return ServerName{}, fmt.Errorf("%q is not a server name: its port is not a number from 1 to 65535", text.Clip(name, maxQuoted))
	}
	return ServerName{name}, nil
}

func (n ServerName) String() string { return n.name }

// IsZero reports whether n names no server.
func (n ServerName) IsZero() bool { return n.name == "" }

// Host returns the name without its port. It keeps the brackets of an IPv6
// literal.
func (n ServerName) Host() string {
	host, _ := splitPort(n.name)
	return host
}

// Port returns the port in the name, or "" if there is none.
func (n ServerName) Port() string {
	_, port := splitPort(n.name)
	return port
}

// IP returns the address if the host is an IP literal. Otherwise ok is false.
func (n ServerName) IP() (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(n.Host(), "[]"))
	return addr, err == nil
}

func splitPort(name string) (host, port string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.HasSuffix(name, "]") {
		return name, ""
	}
	return name[:i], name[i+1:]
}

func validPort(port string) bool {
	if len(port) < 1 || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}

func checkHost(host string) error {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return errors.New("the brackets must hold an IPv6 address, without a zone")
		}
		return nil
	}
	switch {
	case host == "":
		return errors.New("the host is empty")
	case len(host) > 255:
		return errors.New("the host is longer than 255 characters")
	}
	for i := range len(host) {
		if c := host[i]; !isAlnum(c) && c != '-' && c != '.' {
			return errors.New("a host has only letters, digits, '-' and '.' (no scheme, no path, no '_')")
		}
	}
	return nil
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// UserID is a Matrix user id, "@localpart:server", of at most 255 bytes. The
// localpart may be any Unicode text without ':' and NUL. Old accounts have
// characters that the grammar for new accounts does not allow.
type UserID struct {
	id    string
	colon int
}

// ParseUserID returns the UserID for id. It splits id at the first colon and
// checks both parts.
func ParseUserID(id string) (UserID, error) {
	colon := strings.IndexByte(id, ':')
	switch {
	case len(id) > maxIDBytes:
		return UserID{}, fmt.Errorf("user id %q is longer than %d bytes", text.Clip(id, maxQuoted), maxIDBytes)
	case !strings.HasPrefix(id, "@") || colon < 0:
		return UserID{}, fmt.Errorf("user id %q is not of the form @localpart:server", text.Clip(id, maxQuoted))
	case !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0:
		return UserID{}, fmt.Errorf("user id %q holds NUL or is not UTF-8", text.Clip(id, maxQuoted))
	}
	if _, err := ParseServerName(id[colon+1:]); err != nil {
		return UserID{}, fmt.Errorf("user id %q: %w", text.Clip(id, maxQuoted), err)
	}
	return UserID{id, colon}, nil
}

func (u UserID) String() string { return u.id }

// IsZero reports whether u is the zero UserID, which stands for no user.
func (u UserID) IsZero() bool { return u.id == "" }

// Server returns the server that the user id belongs to.
func (u UserID) Server() ServerName {
	if u.IsZero() {
		return ServerName{}
	}
	return ServerName{u.id[u.colon+1:]}
}

// RoomID is a Matrix room id, of at most 255 bytes. It consists of "!" and
// opaque text. Up to room version 11 that text ends in ":server". Since version
// 12 it has no domain.
type RoomID struct{ id string }

// ParseRoomID returns the RoomID for id. It checks the sigil and the length,
// and that id is valid text.
func ParseRoomID(id string) (RoomID, error) {
	switch {
	case len(id) > maxIDBytes:
		return RoomID{}, fmt.Errorf("room id %q is longer than %d bytes", text.Clip(id, maxQuoted), maxIDBytes)
	case len(id) < 2 || id[0] != '!':
		return RoomID{}, fmt.Errorf("room id %q does not start with '!'", text.Clip(id, maxQuoted))
	case !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0:
		return RoomID{}, fmt.Errorf("room id %q holds NUL or is not UTF-8", text.Clip(id, maxQuoted))
	}
	return RoomID{id}, nil
}

func (r RoomID) String() string { return r.id }

// DeviceID identifies a device of a user: one login. It is opaque text of 1 to
// 255 bytes.
type DeviceID struct{ id string }

// ParseDeviceID returns the DeviceID for id. It checks that id has 1 to 255
// bytes and is valid text.
func ParseDeviceID(id string) (DeviceID, error) {
	if err := checkOpaque("device id", id); err != nil {
		return DeviceID{}, err
	}
	return DeviceID{id}, nil
}

func (d DeviceID) String() string { return d.id }

// SlotID identifies a slot of a room. One call takes place in each slot. A
// SlotID is opaque text of 1 to 255 bytes. All clients today use "m.call#ROOM"
// (MSC4143).
type SlotID struct{ id string }

// RoomCall is the slot of a room's one call. If a client sends no slot, it
// means RoomCall.
var RoomCall = SlotID{"m.call#ROOM"}

// ParseSlotID returns the SlotID for id. It checks that id has 1 to 255 bytes
// and is valid text.
func ParseSlotID(id string) (SlotID, error) {
	if err := checkOpaque("slot id", id); err != nil {
		return SlotID{}, err
	}
	return SlotID{id}, nil
}

func (s SlotID) String() string { return s.id }

// MemberID identifies one participation of a device in a slot (MSC4143). It is
// opaque text of 1 to 255 bytes.
type MemberID struct{ id string }

// ParseMemberID returns the MemberID for id. It checks that id has 1 to 255
// bytes and is valid text.
func ParseMemberID(id string) (MemberID, error) {
	if err := checkOpaque("member id", id); err != nil {
		return MemberID{}, err
	}
	return MemberID{id}, nil
}

func (m MemberID) String() string { return m.id }

func checkOpaque(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("the %s is empty", what)
	case len(id) > maxIDBytes:
		return fmt.Errorf("%s %q is longer than %d bytes", what, text.Clip(id, maxQuoted), maxIDBytes)
	case !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0:
		return fmt.Errorf("%s %q holds NUL or is not UTF-8", what, text.Clip(id, maxQuoted))
	}
	return nil
}
