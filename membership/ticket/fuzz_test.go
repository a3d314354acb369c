package ticket_test

import (
	"encoding/base64"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
)

// FuzzOpen checks that Open refuses every text except a ticket that this
// service sealed, and that Open can open every sealed ticket.
func FuzzOpen(f *testing.F) {
	s := ticket.NewSealer([]sfu.Key{key})
	f.Add(s.Seal(ordinary(f), place), "!room:example.com", "@alice:example.com", byte(1), int64(1_800_000_000))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte{1}), "!", "@:", byte(0), int64(-1))
	f.Add("", "!x", "@a#b:c", byte(200), int64(1)<<62)
	f.Fuzz(func(t *testing.T, text, roomID, userID string, by byte, seconds int64) {
		if got, _, err := s.Open(text, ticket.Place{Room: "fuzz", Identity: "fuzz"}); err == nil {
			t.Fatalf("%q opened: %+v: got no error, want one", text, got)
		}
		r, errR := matrix.ParseRoomID(roomID)
		u, errU := matrix.ParseUserID(userID)
		if errR != nil || errU != nil || by < 1 || by > 3 || seconds < 0 || seconds > 253402300799 {
			return
		}
		want := ticket.Ticket{Room: r, User: u, By: ticket.Way(by), Issued: time.Unix(seconds, 0)}
		at := ticket.Place{Room: "r", Identity: sfu.Identity(userID)}
		sealed := s.Seal(want, at)
		if got, _, err := s.Open(sealed, at); err != nil || got != want || len(sealed) > ticket.MaxBytes {
			t.Errorf("%d bytes opened as %+v, %v; want %+v", len(sealed), got, err, want)
		}
	})
}
