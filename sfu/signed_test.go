package sfu_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// wantRejected checks that err is an *sfu.RejectedError with this cause. The
// error must show nothing of the token.
func wantRejected(t *testing.T, err error, cause, token string) {
	t.Helper()
	rejected, ok := errors.AsType[*sfu.RejectedError](err)
	if !ok || rejected.Cause != cause {
		t.Errorf("got %v, want it rejected for %s", err, cause)
		return
	}
	for _, part := range strings.Split(token, ".") {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); len(part) > 8 && strings.Contains(text, part[:8]) {
			t.Errorf("got the error %s, want no part of the token in it", text)
		}
	}
}

func TestRejected(t *testing.T) {
	forged := func(method jwt.SigningMethod, key any) sfutest.Flaw {
		claims := jwt.MapClaims{"iss": "devkey", "exp": time.Now().Add(time.Minute).Unix(), "sha256": strings.Repeat("A", 43) + "="}
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return sfutest.Header(token)
	}
	for name, c := range map[string]struct {
		flaw  sfutest.Flaw
		cause string
	}{
		"no header":       {sfutest.NoHeader(), sfu.RejectedHeader},
		"unknown key":     {sfutest.UnknownKey(), sfu.RejectedKey},
		"wrong secret":    {sfutest.WrongSecret(), sfu.RejectedSignature},
		"bearer":          {sfutest.Bearer(), sfu.RejectedSignature},
		"basic":           {sfutest.Header("Basic dXNlcjpodW50ZXIyaHVudGVyMg=="), sfu.RejectedSignature},
		"no JSON":         {sfutest.Header("aaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb.cccccccccccccccc"), sfu.RejectedSignature},
		"unsigned":        {forged(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), sfu.RejectedSignature},
		"other algorithm": {forged(jwt.SigningMethodHS512, []byte(apiSecret)), sfu.RejectedSignature},
		"empty secret":    {forged(jwt.SigningMethodHS256, []byte("")), sfu.RejectedSignature},
		"old":             {sfutest.Aged(time.Hour), sfu.RejectedAge},
		"early":           {sfutest.Aged(-time.Hour), sfu.RejectedAge},
		"endless":         {sfutest.Endless(), sfu.RejectedAge},
		"no digest":       {sfutest.NoDigest(), sfu.RejectedDigest},
		"wrong digest":    {sfutest.WrongDigest(), sfu.RejectedDigest},
		"not JSON":        {sfutest.Body("hello"), sfu.RejectedNotJSON},
		"empty":           {sfutest.Body(""), sfu.RejectedNotJSON},
		"array":           {sfutest.Body("[]"), sfu.RejectedNotJSON},
		"null":            {sfutest.Body("null"), sfu.RejectedNotJSON},
		"wrong type":      {sfutest.Body(`{"room":"room"}`), sfu.RejectedNotJSON},
		"more behind":     {sfutest.Body("{}{}"), sfu.RejectedNotJSON},
		"not UTF-8":       {sfutest.Body("{\"event\":\"\xff\"}"), sfu.RejectedNotJSON},
		"deep":            {sfutest.Body(strings.Repeat(`{"a":`, 100_000)), sfu.RejectedNotJSON},
	} {
		t.Run(name, func(t *testing.T) {
			req := webhook(c.flaw)
			event, err := webhooks.Receive(req)
			wantRejected(t, err, c.cause, req.Header.Get("Authorization"))
			if event != (sfu.Event{}) {
				t.Errorf("Receive, %s: got %+v beside an error, want no event", name, event)
			}
		})
	}
}

// TestKeyWithoutSecret checks that no signature with an empty secret is valid,
// because anybody could make one.
func TestKeyWithoutSecret(t *testing.T) {
	careless := sfu.Key{ID: "careless"}
	_, err := sfu.Webhooks{Keys: sfu.Always(careless)}.Receive(sfutest.New(careless).NewWebhook(hook, leaving()))
	wantRejected(t, err, sfu.RejectedKey, "")
	_, err = sfu.Webhooks{}.Receive(webhook())
	wantRejected(t, err, sfu.RejectedKey, "")
}

func TestAnyKeySigns(t *testing.T) {
	for _, k := range webhooks.Keys() {
		receive(t, sfutest.New(k).NewWebhook(hook, leaving()))
	}
}

// TestHeaderComesFirst checks that Receive reads no byte of the body if the
// Authorization header is not valid.
func TestHeaderComesFirst(t *testing.T) {
	for name, flaw := range map[string]sfutest.Flaw{
		"no header": sfutest.NoHeader(), "unknown key": sfutest.UnknownKey(), "wrong secret": sfutest.WrongSecret(),
		"an hour old": sfutest.Aged(time.Hour), "no digest": sfutest.NoDigest(),
	} {
		t.Run(name, func(t *testing.T) {
			req := webhook(flaw)
			read := 0
			req.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { read++; return 0, io.EOF }))
			if _, err := webhooks.Receive(req); err == nil || read > 0 {
				t.Errorf("got %v after %d reads of the body, want an error after none", err, read)
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWebhookSize(t *testing.T) {
	sized := func(n int) *http.Request {
		return webhook(sfutest.Body(`{"event":"` + strings.Repeat("x", n-12) + `"}`))
	}
	chunked := func(r *http.Request) *http.Request {
		r.ContentLength = -1
		return r
	}
	if got := receive(t, sized(1<<20)); len(got.Name) > 400 {
		t.Errorf("an event's name of 1 MiB: got %d bytes of it, want at most 400", len(got.Name))
	}
	receive(t, chunked(sized(1<<20)))
	endless := chunked(webhook())
	endless.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) { return len(p), nil }))
	for name, req := range map[string]*http.Request{
		"declared": sized(1<<20 + 1), "chunked": chunked(sized(1<<20 + 1)), "endless": endless,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := webhooks.Receive(req)
			wantRejected(t, err, sfu.RejectedTooLarge, "")
		})
	}
}

func TestWebhookCutOff(t *testing.T) {
	req := webhook()
	req.Body = io.NopCloser(iotest.TimeoutReader(iotest.OneByteReader(req.Body)))
	_, err := webhooks.Receive(req)
	wantRejected(t, err, sfu.RejectedCutOff, "")
	if !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("got %v, want %v in it", err, iotest.ErrTimeout)
	}
}

func TestWebhookAge(t *testing.T) {
	const sec = time.Second
	for age, taken := range map[time.Duration]bool{
		0: true, 299 * sec: true, 359 * sec: true, -60 * sec: true,
		360 * sec: false, -61 * sec: false, 1e6 * time.Hour: false, -1e6 * time.Hour: false,
	} {
		t.Run(age.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if taken {
					receive(t, webhook(sfutest.Aged(age)))
					return
				}
				_, err := webhooks.Receive(webhook(sfutest.Aged(age)))
				wantRejected(t, err, sfu.RejectedAge, "")
			})
		})
	}
}

func TestWebhookDigestUnpadded(t *testing.T) { receive(t, webhook(sfutest.Unpadded())) }

// TestTokensForSomethingElse checks that a token for another purpose is
// rejected, although it is signed with one of the keys. Examples are the tokens
// of participants.
func TestTokensForSomethingElse(t *testing.T) {
	participant, err := auth.NewAccessToken(key.ID, apiSecret).SetIdentity("alice").
		SetVideoGrant(&auth.VideoGrant{RoomJoin: true, Room: "room"}).ToJWT()
	if err != nil {
		t.Fatal(err)
	}
	status := sfutest.StatusToken(key, "matrixrtc-auth-status", time.Minute)
	for name, token := range map[string]string{"participant": participant, "status": status} {
		t.Run("webhook with the token of "+name, func(t *testing.T) {
			_, err := webhooks.Receive(webhook(sfutest.Header(token)))
			wantRejected(t, err, sfu.RejectedDigest, token)
		})
	}
	signed := webhook().Header.Get("Authorization")
	for name, token := range map[string]string{"participant": participant, "webhook": signed} {
		t.Run("status with the token of "+name, func(t *testing.T) {
			wantRejected(t, sfu.VerifyStatusToken(webhooks.Keys, token), sfu.RejectedAudience, token)
		})
	}
}

// statusToken is a token with the cause for which it must be rejected. The
// cause is "" if the token is valid.
type statusToken struct{ token, cause string }

// statusTokens makes tokens of every kind. A test must call it inside its
// synctest bubble, because tokens expire.
func statusTokens(t *testing.T) map[string]statusToken {
	t.Helper()
	const audience = "matrixrtc-auth-status"
	with := func(claims jwt.MapClaims) string {
		claims["iss"] = key.ID
		if claims["aud"] == nil {
			claims["aud"] = audience
		}
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(apiSecret))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	now := time.Now().Unix()
	return map[string]statusToken{
		"good":         {sfutest.StatusToken(key, audience, time.Minute), ""},
		"other key":    {sfutest.StatusToken(webhooks.Keys()[0], audience, time.Second), ""},
		"list":         {with(jwt.MapClaims{"aud": []string{audience}, "iat": now, "exp": now + 60}), ""},
		"two aud":      {with(jwt.MapClaims{"aud": []string{audience, "x"}, "iat": now, "exp": now + 60}), sfu.RejectedAudience},
		"slow clock":   {with(jwt.MapClaims{"iat": now - 119, "exp": now - 59}), ""},
		"fast clock":   {with(jwt.MapClaims{"iat": now + 60, "exp": now + 120}), ""},
		"empty":        {"", sfu.RejectedSignature},
		"unknown key":  {sfutest.StatusToken(sfu.Key{ID: "x", Secret: key.Secret}, audience, time.Minute), sfu.RejectedKey},
		"other secret": {sfutest.StatusToken(sfu.Key{ID: key.ID, Secret: secret.New("x")}, audience, time.Minute), sfu.RejectedSignature},
		"other aud":    {sfutest.StatusToken(key, "matrixrtc-auth", time.Minute), sfu.RejectedAudience},
		"no aud":       {sfutest.StatusToken(key, "", time.Minute), sfu.RejectedAudience},
		"too long":     {sfutest.StatusToken(key, audience, time.Minute+time.Second), sfu.RejectedAge},
		"for ever":     {sfutest.StatusToken(key, audience, 0), sfu.RejectedAge},
		"no iat":       {with(jwt.MapClaims{"exp": now + 30}), sfu.RejectedAge},
		"expired":      {with(jwt.MapClaims{"iat": now - 120, "exp": now - 60}), sfu.RejectedAge},
		"future":       {with(jwt.MapClaims{"iat": now + 61, "exp": now + 120}), sfu.RejectedAge},
		"backwards":    {with(jwt.MapClaims{"iat": now + 3600, "exp": now + 3000}), sfu.RejectedAge},
	}
}

func TestVerifyStatusToken(t *testing.T) {
	for name := range statusTokens(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := statusTokens(t)[name]
				if err := sfu.VerifyStatusToken(webhooks.Keys, c.token); err != nil || c.cause != "" {
					wantRejected(t, err, c.cause, c.token)
				}
			})
		})
	}
}
