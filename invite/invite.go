package invite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
)

// mostParticipants bounds the number of participants in a room for tests.
// Twenty tests can run at the same time, with two participants each. With
// --watch, one more participant receives the verdicts.
const mostParticipants = 41

// inviter makes links.
type inviter struct {
	cfg     *config.Config
	network *instruments.Network
	sfu     *sfu.Client
	notes   io.Writer // where notes for the operator go
}

func newInviter(cfg *config.Config, network *instruments.Network) *inviter {
	connections := sfu.NewHTTPClient(cfg.RootCAs.Pool, nil)
	return &inviter{cfg: cfg, network: network, sfu: sfu.NewClient(cfg.APIURL, sfu.Always(cfg.Keys...), connections), notes: io.Discard}
}

// invite makes a link. First it checks that the page exists. Then it creates
// the room, and checks that the service accepts the link. It checks all this
// because the person who opens the link cannot repair anything.
func (in *inviter) invite(ctx context.Context, public *url.URL, lifetime time.Duration) (Link, error) {
	if !in.cfg.TestPage {
		return Link{}, errors.New("LIVEKIT_TEST_PAGE=off switches the connection test off, so a link would not work")
	}
	if public == nil {
		var err error
		if public, err = in.findPublicURL(ctx); err != nil {
			return Link{}, err
		}
	}
	base := strings.TrimRight(public.String(), "/")
	reached, err := in.lookAtPage(ctx, base)
	if err != nil {
		return Link{}, err
	}
	key := testlink.New(time.Now().Add(lifetime))
	sealed, err := key.Seal(in.cfg.Keys[0])
	if err != nil {
		return Link{}, err
	}
	if err := in.sfu.CreateTestRoom(ctx, key.Room, lifetime, mostParticipants); err != nil {
		return Link{}, fmt.Errorf("LiveKit did not create the room: %w; matrixrtc-auth doctor says why", err)
	}
	if reached {
		if err := in.confirm(ctx, base, sealed); err != nil {
			return Link{}, err
		}
	}
	return Link{URL: base + "/test#" + sealed, Room: key.Room, Expires: key.Expires}, nil
}

// findPublicURL asks the homeserver for this service's public URL.
func (in *inviter) findPublicURL(ctx context.Context) (*url.URL, error) {
	servers := in.cfg.FullAccess.Servers
	if len(servers) == 0 {
		return nil, errors.New("--public-url is missing: LIVEKIT_FULL_ACCESS_HOMESERVERS names no homeserver whose well-known could tell where this service is")
	}
	address := "https://" + servers[0].Host() + "/.well-known/matrix/client"
	answer, _, err := in.network.Follow(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("--public-url is missing, and %s, which may tell where this service is, does not answer: %w", address, err)
	}
	var document struct {
		Foci []struct {
			Type    string `json:"type"`
			Service string `json:"livekit_service_url"`
		} `json:"org.matrix.msc4143.rtc_foci"`
	}
	_ = json.Unmarshal(answer.Body, &document) // if the answer has another structure, document names no service
	for _, focus := range document.Foci {
		if u, err := parseAddress(focus.Service); err == nil && focus.Type == "livekit" {
			return u, nil
		}
	}
	return nil, fmt.Errorf("--public-url is missing, and %s does not tell where this service is (%s)", address, answer)
}

// pageMark is a text that only the page of the connection test contains.
const pageMark = `content="matrixrtc-auth connection test"`

// lookAtPage requests the page at its public address. If this machine gets no
// answer, reached is false and err is nil. A phone may still reach the page:
// many routers do not forward connections that come from inside and go to the
// router's own public address.
func (in *inviter) lookAtPage(ctx context.Context, base string) (reached bool, err error) {
	address := base + "/test"
	answer, err := in.network.Get(ctx, address)
	switch {
	case err != nil:
		fmt.Fprintf(in.notes, "note: %s does not answer from here (%v); a phone elsewhere may reach it nevertheless\n", address, err)
		return false, nil
	case answer.Status == http.StatusOK && strings.Contains(string(answer.Body), pageMark):
		return true, nil
	case strings.HasSuffix(base, "/test"):
		return false, fmt.Errorf("%s is not the page of the connection test (%s): --public-url is the address of the service, without /test at its end", address, answer)
	case answer.From().Party == instruments.Service:
		return false, fmt.Errorf("the service at %s has no connection test: either LIVEKIT_TEST_PAGE=off is set there, or the service is an older version", base)
	}
	return false, notPassed(address, base, answer)
}

func notPassed(address, base string, answer instruments.Reply) error {
	path := "/test"
	if u, err := url.Parse(base); err == nil {
		path = strings.TrimRight(u.Path, "/") + path
	}
	return fmt.Errorf("%s does not lead to this service (%s): let the proxy forward %s and all paths below it, with GET and POST, to this service", address, answer, path)
}

// confirm asks the service for a token with the link's key, as the page will
// do.
func (in *inviter) confirm(ctx context.Context, base, sealed string) error {
	address := base + "/test/token"
	body, err := json.Marshal(map[string]string{"key": sealed})
	if err != nil {
		return err
	}
	answer, err := in.network.Ask(ctx, instruments.Question{Method: http.MethodPost, URL: address, Body: string(body)})
	switch {
	case err != nil:
		return fmt.Errorf("%s does not answer: %w", address, err)
	case answer.Status == http.StatusOK:
		return nil
	case answer.From().Party != instruments.Service:
		return notPassed(address, base, answer)
	case answer.Status == http.StatusForbidden:
		return fmt.Errorf("the service at %s has another API secret than this environment; if .env has changed, start the service again", base)
	case answer.Status == http.StatusGone:
		return fmt.Errorf("the clock of the service at %s and the clock of this machine differ by more than the link's lifetime", base)
	case answer.Status == http.StatusNotFound:
		return fmt.Errorf("the service at %s uses another LiveKit than the environment of this command names: the service's LiveKit does not have the room that this command made", base)
	}
	return fmt.Errorf("the service at %s refuses a token for the test: %s", base, answer)
}
