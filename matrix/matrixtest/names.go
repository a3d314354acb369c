package matrixtest

import (
	"testing"

	"matrixrtc-auth/matrix"
)

// ServerName parses a server name that is written in a test. If the name is
// invalid, ServerName ends the test.
func ServerName(t testing.TB, name string) matrix.ServerName {
	t.Helper()
	return parsed(t, name, matrix.ParseServerName)
}

// UserID parses a user id that is written in a test. If the id is invalid,
// UserID ends the test.
func UserID(t testing.TB, id string) matrix.UserID {
	t.Helper()
	return parsed(t, id, matrix.ParseUserID)
}

// RoomID parses a room id that is written in a test. If the id is invalid,
// RoomID ends the test.
func RoomID(t testing.TB, id string) matrix.RoomID {
	t.Helper()
	return parsed(t, id, matrix.ParseRoomID)
}

func parsed[T any](t testing.TB, text string, parse func(string) (T, error)) T {
	t.Helper()
	name, err := parse(text)
	if err != nil {
		t.Fatalf("%q: got %v, want no error", text, err)
	}
	return name
}
