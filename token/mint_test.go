package token_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

const apiSecret = "a-secret-of-at-least-thirty-two-bytes"

var (
	key   = sfu.Key{ID: "devkey", Secret: secret.New(apiSecret)}
	grant = token.Grant{
		Room:       "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc",
		Identity:   "@alice:example.com:DEVICE123",
		CanPublish: true,
	}
)

func TestClaims(t *testing.T) {
	now := time.Unix(1_800_000_000, 999_999_999)
	minted := token.NewMinter(key, time.Hour).Mint(grant, now)
	want := `{"iss":"devkey","sub":"@alice:example.com:DEVICE123","nbf":1800000000,"exp":1800003600,` +
		`"video":{"roomJoin":true,"room":"O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc","canPublish":true,` +
		`"canSubscribe":true,"canUpdateOwnMetadata":false,"roomCreate":false,"hidden":false}}`
	if got := string(atob(t, payload(t, minted))); got != want {
		t.Errorf("claims = %s\nwant     %s", got, want)
	}
}

// TestTicket checks that LiveKit reads the ticket as an attribute, and that a
// browser's atob can decode the token.
func TestTicket(t *testing.T) {
	g := grant
	g.Ticket = `AZaz09-_"\~?>é`
	minted := token.NewMinter(key, time.Hour).Mint(g, time.Unix(1_800_000_000, 0))
	atob(t, payload(t, minted))
	_, claims := verify(t, token.NewMinter(key, time.Hour).Mint(g, time.Now()))
	if want := map[string]string{"matrixrtc.ticket": g.Ticket}; !maps.Equal(claims.Attributes, want) {
		t.Errorf("attributes %q, want %q", claims.Attributes, want)
	}
}

func TestGrants(t *testing.T) {
	for _, publish := range []bool{true, false} {
		for _, update := range []bool{true, false} {
			t.Run(fmt.Sprintf("publish=%t update=%t", publish, update), func(t *testing.T) {
				g := grant
				g.CanPublish, g.CanUpdateOwnMetadata = publish, update
				check(t, token.NewMinter(key, time.Hour).Mint(g, time.Now()), g)
			})
		}
	}
}

// TestWhatAbsenceMeans checks how LiveKit reads claims that the token leaves
// out.
func TestWhatAbsenceMeans(t *testing.T) {
	for _, publish := range []bool{true, false} {
		t.Run(fmt.Sprintf("publish=%t", publish), func(t *testing.T) {
			g := grant
			g.CanPublish = publish
			_, claims := verify(t, token.NewMinter(key, time.Hour).Mint(g, time.Now()))
			p := claims.Video.ToPermission()
			if p.CanPublish != publish || p.CanPublishData != publish {
				t.Errorf("canPublish %t: got media %t and data %t, want the same of both", publish, p.CanPublish, p.CanPublishData)
			}
			if p.CanPublishSources != nil {
				t.Errorf("canPublish %t: got the sources %v, want no limit", publish, p.CanPublishSources)
			}
		})
	}
}

func TestEscapes(t *testing.T) {
	g := token.Grant{Room: "a>b?c~d\x7f", Identity: "@\"\\ü\u07ff\uffff😀\x00\x1f/+:x"}
	minted := token.NewMinter(sfu.Key{ID: `k"~`, Secret: key.Secret}, time.Hour).Mint(g, time.Now())
	claims := string(atob(t, payload(t, minted)))
	for _, want := range []string{
		`"k\u0022\u007e"`, `a\u003eb\u003fc\u007ed\u007f`, `@\u0022\u005c\u00fc\u07ff\uffff\ud83d\ude00\u0000\u001f/+:x`,
	} {
		if !strings.Contains(claims, want) {
			t.Errorf("claims = %s, want %s in it", claims, want)
		}
	}
	check(t, minted, g)
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		minted := token.NewMinter(key, time.Minute).Mint(grant, time.Now())
		v, err := auth.ParseAPIToken(minted)
		if err != nil {
			t.Fatal(err)
		}
		const leeway = time.Minute // LiveKit accepts a token this long after its end
		time.Sleep(time.Minute + leeway - time.Second)
		if _, _, err := v.Verify(apiSecret); err != nil {
			t.Errorf("a second before its end: got %v, want no error", err)
		}
		time.Sleep(2 * time.Second)
		if _, _, err := v.Verify(apiSecret); err == nil {
			t.Error("a second after its end: got no error, want one")
		}
	})
}

func TestOtherSecretRefused(t *testing.T) {
	minted := token.NewMinter(key, time.Hour).Mint(grant, time.Now())
	v, err := auth.ParseAPIToken(minted)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Verify(apiSecret + "x"); err == nil {
		t.Error("with another secret: got no error, want one")
	}
}

func TestMinterHidesSecret(t *testing.T) {
	m := token.NewMinter(key, time.Hour)
	m.Mint(grant, time.Now())
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		out := fmt.Sprintf(verb, m)
		for _, form := range []string{apiSecret, fmt.Sprintf("%x", apiSecret)} {
			if strings.Contains(out, form) {
				t.Errorf("%s: got %s, want the secret not in it", verb, out)
			}
		}
	}
}

// TestConcurrent mints tokens in many goroutines at the same time. The
// goroutines share the pooled buffers and HMACs.
func TestConcurrent(t *testing.T) {
	m := token.NewMinter(key, time.Hour)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				g := grant
				g.Identity = sfu.Identity(fmt.Sprintf("@user%d:example.com:%s", worker, strings.Repeat("D", i)))
				check(t, m.Mint(g, time.Now()), g)
			}
		})
	}
	wg.Wait()
}

// check verifies a token as the SFU does, and checks that the token grants g
// and nothing else.
func check(t *testing.T, minted string, g token.Grant) {
	t.Helper()
	if p := payload(t, minted); strings.ContainsAny(p, "-_") {
		t.Errorf("got the payload %s, want one that atob can read", p)
	}
	identity, got := verify(t, minted)
	yes, publish, update := true, g.CanPublish, g.CanUpdateOwnMetadata
	want := auth.VideoGrant{
		RoomJoin: true, Room: string(g.Room), CanPublish: &publish, CanSubscribe: &yes, CanUpdateOwnMetadata: &update,
	}
	if identity != string(g.Identity) || !sameJSON(t, got.Video, want) {
		t.Errorf("granted %q %+v, want %q %+v", identity, got.Video, g.Identity, want)
	}
	got.Video, got.Identity = nil, ""
	if !sameJSON(t, got, auth.ClaimGrants{}) {
		t.Errorf("granted besides: got %+v, want nothing", got)
	}
	checkNames(t, minted)
}

// checkNames checks the names of all claims in a token. It parses the JSON
// itself, because the verifier's types hide claims that they do not know.
func checkNames(t *testing.T, minted string) {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal(atob(t, payload(t, minted)), &claims); err != nil {
		t.Fatal(err)
	}
	video, _ := claims["video"].(map[string]any)
	names := append(slices.Sorted(maps.Keys(claims)), slices.Sorted(maps.Keys(video))...)
	want := "exp iss nbf sub video canPublish canSubscribe canUpdateOwnMetadata hidden room roomCreate roomJoin"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("claims %s, want %s", got, want)
	}
}

func verify(t *testing.T, minted string) (identity string, _ *auth.ClaimGrants) {
	t.Helper()
	v, err := auth.ParseAPIToken(minted)
	if err != nil {
		t.Fatalf("%s: got %v, want no error", minted, err)
	}
	_, claims, err := v.Verify(apiSecret)
	if err != nil {
		t.Fatalf("%s: got %v, want no error", minted, err)
	}
	return v.Identity(), claims
}

func payload(t *testing.T, minted string) string {
	t.Helper()
	parts := strings.Split(minted, ".")
	if len(parts) != 3 {
		t.Fatalf("%s has %d parts, want 3", minted, len(parts))
	}
	return parts[1]
}

// atob decodes as a browser's atob does: the standard alphabet, with or without
// padding.
func atob(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		t.Fatalf("atob(%s): got %v, want no error", s, err)
	}
	return b
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}
