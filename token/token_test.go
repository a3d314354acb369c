package token_test

import (
	"errors"
	"strings"
	"testing"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// must returns v, and panics if err is not nil. It is for ids that are known to
// be valid.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRoomName(t *testing.T) {
	for _, c := range []struct{ room, slot, want string }{
		{"!roomid:example.com", "slot1234", "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc"},
		{"!gIpOlaUSrXBmgtveWK:call.ems.host", "m.call#ROOM", "O9fjXP35ffUz7WTQRfX6zrLDjkDv7VX2N1CVFzP01tQ"},
		// The wanted name is the output of:
		// printf '["!a&b<>\u2028:x","m.call#ROOM"]' | openssl dgst -sha256 -binary | base64
		{"!a&b<>\u2028:x", "m.call#ROOM", "7pLoW5dSuSUpZ25UfHxfZXPTnrJI5pi5JGqPiTnEioc"},
	} {
		t.Run(c.room, func(t *testing.T) {
			got := token.RoomName(must(matrix.ParseRoomID(c.room)), must(matrix.ParseSlotID(c.slot)))
			if got != sfu.Room(c.want) {
				t.Errorf("RoomName(%q, %q) = %s, want %s", c.room, c.slot, got, c.want)
			}
		})
	}
}

// TestOldAndNewClientsMeet checks that a client of /sfu/get, which names no
// slot, gets the room of the slot m.call#ROOM.
func TestOldAndNewClientsMeet(t *testing.T) {
	room := must(matrix.ParseRoomID("!gIpOlaUSrXBmgtveWK:call.ems.host"))
	named := must(matrix.ParseSlotID("m.call#ROOM"))
	if token.RoomName(room, matrix.RoomCall) != token.RoomName(room, named) {
		t.Errorf("m.call#ROOM: got the room %s, want that of matrix.RoomCall, %s", token.RoomName(room, named), token.RoomName(room, matrix.RoomCall))
	}
}

func TestMemberIdentity(t *testing.T) {
	got := token.MemberIdentity(
		must(matrix.ParseUserID("@alice:example.com")),
		must(matrix.ParseDeviceID("DEVICE123")),
		must(matrix.ParseMemberID("memberABC")))
	if want := sfu.Identity("J+T45tGruxc+HrUOqJJlyQSV33m728Cme4+vt8/SWrU"); got != want {
		t.Errorf("MemberIdentity = %s, want %s", got, want)
	}
}

// TestProxiedIdentity checks the test vector of MSC4195.
func TestProxiedIdentity(t *testing.T) {
	got := token.ProxiedIdentity(must(matrix.ParseUserID("@alice:example.com")), must(matrix.ParseMemberID("memberABC")))
	if want := sfu.Identity("M3VnsLXrkbxIDINXO64u8PZzFyD9ZYFiQULR2dshWYs"); got != want {
		t.Errorf("ProxiedIdentity = %s, want %s", got, want)
	}
}

func TestLegacyIdentity(t *testing.T) {
	user := must(matrix.ParseUserID("@alice:example.com:8448"))
	got, err := token.LegacyIdentity(user, must(matrix.ParseDeviceID("DEVICE")))
	if want := sfu.Identity("@alice:example.com:8448:DEVICE"); got != want || err != nil {
		t.Errorf("LegacyIdentity = %q, %v, want %q", got, err, want)
	}
}

func TestLegacyIdentityRefuses(t *testing.T) {
	alice := "@alice:example.com"
	for name, c := range map[string]struct {
		user   string
		device matrix.DeviceID
	}{
		"no device":       {alice, matrix.DeviceID{}},
		"colon":           {alice, must(matrix.ParseDeviceID("8448:DEVICE"))},
		"too long":        {alice, must(matrix.ParseDeviceID(strings.Repeat("d", 256-len(alice))))},
		"long in bytes":   {"@" + strings.Repeat("é", 100) + ":example.com", must(matrix.ParseDeviceID(strings.Repeat("d", 50)))},
		"colon and quote": {alice, must(matrix.ParseDeviceID("\":\n"))},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := token.LegacyIdentity(must(matrix.ParseUserID(c.user)), c.device)
			var refused *token.IdentityError
			if got != "" || !errors.As(err, &refused) {
				t.Errorf("%s: LegacyIdentity = %q, %v, want an IdentityError", name, got, err)
				return
			}
			if id := c.device.String(); id != "" && strings.Contains(err.Error(), id) {
				t.Errorf("%s: got %v, want no device id in it", name, err)
			}
		})
	}
}

func TestLongestLegacyIdentity(t *testing.T) {
	user := must(matrix.ParseUserID("@alice:example.com"))
	device := must(matrix.ParseDeviceID(strings.Repeat("d", 255-len(user.String()))))
	if got, err := token.LegacyIdentity(user, device); len(got) != 256 || err != nil {
		t.Errorf("LegacyIdentity = %d bytes, %v, want 256", len(got), err)
	}
}

// BenchmarkRoomName measures RoomName, which runs on every request.
func BenchmarkRoomName(b *testing.B) {
	room := must(matrix.ParseRoomID("!gIpOlaUSrXBmgtveWK:call.ems.host"))
	b.ReportAllocs()
	for b.Loop() {
		token.RoomName(room, matrix.RoomCall)
	}
}
