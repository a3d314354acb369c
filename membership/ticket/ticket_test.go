package ticket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

var (
	key   = sfu.Key{ID: "devkey", Secret: secret.New("a-secret-of-at-least-thirty-two-bytes")}
	other = sfu.Key{ID: "other", Secret: secret.New("another-secret-of-thirty-two-bytes")}
	place = ticket.Place{Room: "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc", Identity: "aGFzaA"}
)

func ordinary(t testing.TB) ticket.Ticket {
	return ticket.Ticket{
		Issuer: ticket.IssuerOf(matrixtest.ServerName(t, "example.com")),
		Room:   matrixtest.RoomID(t, "!room:example.com"), User: matrixtest.UserID(t, "@alice:example.com"),
		By: ticket.Proxied, Joined: true, Issued: time.Unix(1_800_000_000, 0),
	}
}

// TestKnownAnswers compares sealed tickets with those of another implementation
// of HKDF (RFC 5869) and XChaCha20-Poly1305 (libsodium).
func TestKnownAnswers(t *testing.T) {
	var nonce [24]byte
	for i := range nonce {
		nonce[i] = byte(i)
	}
	longest := ticket.Place{Room: sfu.Room(strings.Repeat("R", 43)), Identity: sfu.Identity(strings.Repeat("I", 43))}
	for name, c := range map[string]struct {
		ticket ticket.Ticket
		place  ticket.Place
		want   string
	}{
		"ordinary": {ordinary(t), place, "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF2hflu8Ix2QMeukM85FIw0jvoKpnYuEGrVNvoRGmmfc9Cudv7v0of_r5B6PEdkyDu1IrgvqzQDPhYtUN2CQuHbfEjQ"},
		"nobody asked, no server name": {
			ticket.Ticket{Room: matrixtest.RoomID(t, "!ö"), User: matrixtest.UserID(t, "@josé ü:a"), By: ticket.OpenID, Issued: time.Unix(0, 0)},
			ticket.Place{Room: "r", Identity: "@josé ü:a:DEV#1"}, "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF8smMBnmaN2p-WmjFCEhossn7AC4PbpCFoR8SK8GnAcEFL9xRypKfuzh",
		},
		"longest ids": {
			ticket.Ticket{
				Issuer: ticket.IssuerOf(matrixtest.ServerName(t, "example.com")),
				Room:   matrixtest.RoomID(t, "!"+strings.Repeat("r", 254)), User: matrixtest.UserID(t, "@"+strings.Repeat("u", 242)+":example.com"),
				By: ticket.Federated, Joined: true, Issued: time.Unix(253402300799, 0),
			},
			longest, "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF2hflu8Ix2QMe5YqhbTh1vePjLZxcq4WoEd3pAi2wuEnErNo9OcwMOr0E7vBb1zYrUgzeOUTDTywQKsuwgSzva0N6LSy0D63ab-FCyG-CJA4syfxMZ-u2ZjMg6IWlad5N7G0DATnFXm7X34cbW5t4ESHkjvgNhX5w33KSTkHvKrF_hmr475RdhNODoSdLgpvC9GbCsehXH280dxS8spzEMvjEAPCouw5ujuGMLnzz4RKOot6Kq1Xby5ce4r8heOPrV1ioVbrT1RhjYt96M6b473sVaXoT5gZjHUT2eoiNJFUPxHkc5D2XUmviSLSatAoPwJdnTJ8cndpjtCQ9JIv36Lbcjk59WaN6n523kIIi4LrBAdCwz5q5ypAzHVokHKvemDhihC50YrBY_k7OkL4Gr-mK0SMVKr0WzDfWo8E1mUcXOoj9_fsivyCqIHlMswiEC7MqMLQEF1U6weMuzxBKy4sRasIjZ1dKv1SBJe_Y78njeQgVK3I2Dgmhgie0fMGPHfsWpsTROKjbXq75DAyJDIRgtw234Jo1uQ66S90iF9UNftLSXs67itPg_RxUUhWUEqRBN7Qn7ewSq26puIw1KxG2HA0S-nhhut_JpIrhuWGKUw5IW-x6_tsF4MkkVrsfkf64Wy9hxOjWayUVw1kOiFHw-zfzMyK7Y6yZzX5qosBsXRa9lzvxGNBSEXfXy4YRd_MsAkZHMSYGwHhMBVZ9A",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := ticket.NewSealer([]sfu.Key{key})
			if got := s.SealWith(c.ticket, c.place, nonce); got != c.want {
				t.Errorf("sealed as\n%s, want\n%s", got, c.want)
			}
			got, owner, err := s.Open(c.want, c.place)
			if err != nil || got != c.ticket || owner != c.place {
				t.Errorf("opened as %+v of %+v, %v; want %+v of %+v", got, owner, err, c.ticket, c.place)
			}
		})
	}
}

func TestLength(t *testing.T) {
	s := ticket.NewSealer([]sfu.Key{key})
	most := ordinary(t)
	most.Room, most.User = matrixtest.RoomID(t, "!"+strings.Repeat("r", 254)), matrixtest.UserID(t, "@"+strings.Repeat("u", 242)+":example.com")
	usual := ordinary(t)
	usual.Room, usual.User = matrixtest.RoomID(t, "!"+strings.Repeat("r", 43)), matrixtest.UserID(t, "@firstname.lastname:matrix.example.org")
	for name, c := range map[string]struct {
		ticket ticket.Ticket
		most   int
	}{"ordinary ids": {usual, 200}, "longest ids": {most, ticket.MaxBytes}} {
		t.Run(name, func(t *testing.T) {
			if got := len(s.Seal(c.ticket, place)); got > c.most {
				t.Errorf("%s: %d bytes, want at most %d", name, got, c.most)
			}
		})
	}
}

// TestNobodyElses checks that a ticket is valid for one participant only.
func TestNobodyElses(t *testing.T) {
	s := ticket.NewSealer([]sfu.Key{key})
	text := s.Seal(ordinary(t), place)
	for name, at := range map[string]ticket.Place{
		"another identity":          {Room: place.Room, Identity: "aGFzaB"},
		"another room":              {Room: "other", Identity: place.Identity},
		"a longer identity":         {Room: place.Room, Identity: place.Identity + "A"},
		"a border that moved":       {Room: place.Room + "a", Identity: place.Identity[1:]},
		"a suffix in the middle":    {Room: place.Room, Identity: "aGFz#haA"},
		"a '#' far behind":          {Room: place.Room, Identity: sfu.Identity(strings.Repeat("a", 1000)) + "#" + place.Identity},
		"nobody":                    {Room: place.Room},
		"an identity before a hash": {Room: place.Room, Identity: "#" + place.Identity},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _, err := s.Open(text, at); err == nil {
				t.Errorf("opened at %+v: %+v: got no error, want one", at, got)
			}
		})
	}
}

// TestSecondSession checks that a session "identity#suffix" belongs to the
// identity, even if identity or suffix hold a '#'. The client chooses the
// suffix. LiveKit gives such a session a token of its own. With that token, the
// client can open a third session, whose identity has one more suffix.
func TestSecondSession(t *testing.T) {
	s := ticket.NewSealer([]sfu.Key{key})
	for _, identity := range []sfu.Identity{"aGFzaA", "@alice:example.com:DEV#1", "#", "a##"} {
		of := ticket.Place{Room: place.Room, Identity: identity}
		text := s.Seal(ordinary(t), of)
		for _, suffix := range []sfu.Identity{"", "#screen", "#", "#a#b", "###", sfu.Identity("#" + strings.Repeat("#x", 4000))} {
			t.Run(fmt.Sprintf("%.40q", identity+suffix), func(t *testing.T) {
				at := ticket.Place{Room: place.Room, Identity: identity + suffix}
				if got, owner, err := s.Open(text, at); err != nil || owner != of || got != ordinary(t) {
					t.Errorf("%.40q: ticket %+v of %+v, %v; want that of %+v", at.Identity, got, owner, err, of)
				}
			})
		}
	}
}

func TestEverySingleByte(t *testing.T) {
	s := ticket.NewSealer([]sfu.Key{key})
	text := s.Seal(ordinary(t), place)
	for i := range len(text) {
		for c := range 256 {
			if changed := text[:i] + string([]byte{byte(c)}) + text[i+1:]; changed != text {
				if _, _, err := s.Open(changed, place); err == nil {
					t.Fatalf("byte %d as %#x: opened: got no error, want one", i, c)
				}
			}
		}
		for _, changed := range []string{text[:i], text[:i] + text[i+1:], text[:i] + "\n" + text[i:], text[i:]} {
			if _, _, err := s.Open(changed, place); err == nil && changed != text {
				t.Fatalf("cut at %d: got no error, want one", i)
			}
		}
	}
	for _, longer := range []string{text + "A", text + "=", text + "\r\n", text + text, strings.Repeat("A", ticket.MaxBytes+1)} {
		t.Run(fmt.Sprintf("%d bytes more", len(longer)-len(text)), func(t *testing.T) {
			if _, _, err := s.Open(longer, place); err == nil {
				t.Errorf("opened with %d bytes more: got no error, want one", len(longer)-len(text))
			}
		})
	}
}

// TestRotatedKeys checks that any configured key opens tickets, and that the
// first key seals them.
func TestRotatedKeys(t *testing.T) {
	before, during, after := ticket.NewSealer([]sfu.Key{key}), ticket.NewSealer([]sfu.Key{other, key}), ticket.NewSealer([]sfu.Key{other})
	old, fresh := before.Seal(ordinary(t), place), during.Seal(ordinary(t), place)
	for name, c := range map[string]struct {
		sealer *ticket.Sealer
		text   string
		opens  bool
	}{
		"old by both":   {during, old, true},
		"fresh by both": {during, fresh, true},
		"fresh by new":  {after, fresh, true},
		"old by new":    {after, old, false},
		"fresh by old":  {before, fresh, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := c.sealer.Open(c.text, place); (err == nil) != c.opens {
				t.Errorf("%s: %v, want it opened: %v", name, err, c.opens)
			}
		})
	}
}

// TestUnlike checks that two tickets of one bearer share neither nonce nor
// content.
func TestUnlike(t *testing.T) {
	s := ticket.NewSealer([]sfu.Key{key})
	a, b := s.Seal(ordinary(t), place), s.Seal(ordinary(t), place)
	if a[2:34] == b[2:34] || a[34:] == b[34:] {
		t.Errorf("two tickets: want no nonce and no content in common, got\n%s\n%s", a, b)
	}
}

func TestIssuer(t *testing.T) {
	a, b := ticket.IssuerOf(matrixtest.ServerName(t, "example.com")), ticket.IssuerOf(matrixtest.ServerName(t, "example.org"))
	if none := ticket.IssuerOf(matrix.ServerName{}); a == b || a == none || none != (ticket.Issuer{}) {
		t.Errorf("issuers %x, %x and of no server %x: want three, the last zero", a, b, none)
	}
}

// TestMinter checks that the token of a Minter holds the ticket of its bearer.
func TestMinter(t *testing.T) {
	keys := []sfu.Key{key, other}
	minted := ticket.NewMinter(keys, time.Hour).Mint(token.Grant{Room: place.Room, Identity: place.Identity}, ordinary(t), time.Now())
	parsed, err := auth.ParseAPIToken(minted)
	if err != nil {
		t.Fatal(err)
	}
	_, claims, err := parsed.Verify(key.Secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	got, owner, err := ticket.NewSealer(keys).Open(claims.Attributes[sfu.TicketAttribute], place)
	if err != nil || got != ordinary(t) || owner != place {
		t.Errorf("attributes %q: got %+v of %+v, %v, want %+v of %+v", claims.Attributes, got, owner, err, ordinary(t), place)
	}
}

// Example shows that nobody without a key can read a ticket.
func Example() {
	s := ticket.NewSealer([]sfu.Key{{ID: "devkey", Secret: secret.New("a-secret-of-at-least-thirty-two-bytes")}})
	_, _, err := s.Open("AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF2hflu8", place)
	fmt.Println(err)
	// Output: the ticket was not sealed with one of our keys for this participant
}

// TestManyHashes checks an identity with thousands of '#'. Open tries each part
// before a '#' as the identity in the ticket. It must not make more tries than for
// an identity of maxIdentity (256) bytes, because no real identity is longer.
func TestManyHashes(t *testing.T) {
	s := ticket.NewSealer([]sfu.Key{key})
	text := s.Seal(ordinary(t), place)
	hashes := func(n int) float64 {
		at := ticket.Place{Room: place.Room, Identity: "other" + sfu.Identity(strings.Repeat("#", n))}
		return testing.AllocsPerRun(10, func() {
			if _, _, err := s.Open(text, at); err == nil {
				t.Error("opened: got no error, want one")
			}
		})
	}
	if few, many := hashes(255), hashes(100_000); many > few+10 {
		t.Errorf("got %v allocations for 100000 '#', %v for 255, want at most %v", many, few, few+10)
	}
}
