package sfutest

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
)

// webhookLife is how long a webhook of LiveKit is valid.
const webhookLife = 5 * time.Minute

// letter is a webhook before it is sent. It is like a webhook of LiveKit, until
// a Flaw changes it.
type letter struct {
	event  *livekit.WebhookEvent
	body   func(*livekit.WebhookEvent) string
	key    sfu.Key
	age    time.Duration
	life   time.Duration // how long the token is valid; 0 means for ever
	digest func(body string) string
	header func(token string) string
}

// Flaw is one way in which a webhook differs from LiveKit's webhooks.
type Flaw func(*letter)

// UnknownKey signs the webhook with an API key that the receiver does not have.
func UnknownKey() Flaw {
	return func(l *letter) { l.key.ID = "not-" + l.key.ID }
}

// WrongSecret signs the webhook with a secret that does not belong to its API key.
func WrongSecret() Flaw {
	return func(l *letter) { l.key.Secret = secret.New("not-" + l.key.Secret.Reveal()) }
}

// WrongDigest puts the digest of a different body into the webhook's token.
func WrongDigest() Flaw {
	return func(l *letter) { l.digest = func(body string) string { return digest("not " + body) } }
}

// NoDigest sends an API token that has no digest, so it was not made for
// webhooks.
func NoDigest() Flaw {
	return func(l *letter) { l.digest = func(string) string { return "" } }
}

// Unpadded writes the digest without '=' at the end. Receivers must accept such
// a digest.
func Unpadded() Flaw {
	return func(l *letter) {
		l.digest = func(body string) string { return strings.TrimRight(digest(body), "=") }
	}
}

// Aged makes the webhook's token look as if it was signed earlier, by the
// duration age. With a negative age, the token looks as if it was signed in the
// future. The token is valid for 5 min from that time on.
func Aged(age time.Duration) Flaw {
	return func(l *letter) { l.age = age }
}

// Endless makes the webhook's token valid for ever.
func Endless() Flaw {
	return func(l *letter) { l.life = 0 }
}

// NoHeader omits the Authorization header, as some proxies do.
func NoHeader() Flaw { return Header("") }

// Header sends text as the Authorization header.
func Header(text string) Flaw {
	return func(l *letter) { l.header = func(string) string { return text } }
}

// Bearer puts the word "Bearer" before the token.
func Bearer() Flaw {
	return func(l *letter) { l.header = func(token string) string { return "Bearer " + token } }
}

// Body sends text instead of the event, with a valid signature.
func Body(text string) Flaw {
	return func(l *letter) { l.body = func(*livekit.WebhookEvent) string { return text } }
}

// NoRoom omits the room, as webhooks about an ingress do.
func NoRoom() Flaw {
	return func(l *letter) { l.event.Room = nil }
}

// NoParticipant omits the participant, as webhooks about an egress do.
func NoParticipant() Flaw {
	return func(l *letter) { l.event.Participant = nil }
}

// NoSession omits the participant's sid.
func NoSession() Flaw {
	return func(l *letter) { l.event.Participant.Sid = "" }
}

// NewWebhook returns the request with which LiveKit reports event to url.
func (s *SFU) NewWebhook(url string, event *livekit.WebhookEvent, flaws ...Flaw) *http.Request {
	l := letter{
		event:  proto.CloneOf(event),
		body:   marshal,
		key:    s.key,
		life:   webhookLife,
		digest: digest,
		header: func(token string) string { return token },
	}
	for _, flaw := range flaws {
		flaw(&l)
	}
	return l.request(url)
}

// SendWebhook sends a webhook with event to url and returns the status of the
// answer.
func (s *SFU) SendWebhook(url string, event *livekit.WebhookEvent, flaws ...Flaw) (status int, err error) {
	resp, err := http.DefaultClient.Do(s.NewWebhook(url, event, flaws...))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (l *letter) request(url string) *http.Request {
	body := l.body(l.event)
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		panic(err) // the test passed an invalid url
	}
	req.Header.Set("Content-Type", "application/webhook+json")
	claims := validity(time.Now().Add(-l.age), l.life)
	claims["iss"], claims["sha256"] = l.key.ID, l.digest(body)
	if header := l.header(sign(l.key, claims)); header != "" {
		req.Header.Set("Authorization", header)
	}
	return req
}

func marshal(event *livekit.WebhookEvent) string {
	body, err := protojson.Marshal(event)
	if err != nil {
		panic(err) // the test's event has text that is not UTF-8
	}
	return string(body)
}

func digest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}
