package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
)

// subject is a running token server. The field letter says which one: a and b are
// the two baselines, c is the service, and u is the service without tickets.
type subject struct {
	letter string
	addr   string
	pid    int
	stop   func() error
}

// start starts the token server with this letter (see subject), and checks that it
// gives a right answer.
func (l *lab) start(ctx context.Context, letter string) (*subject, error) {
	s, err := l.launch(ctx, letter)
	if err != nil {
		return nil, fmt.Errorf("(%s): %w", letter, err)
	}
	if err := l.prove(ctx, s); err != nil {
		s.stop()
		return nil, fmt.Errorf("(%s): %w", letter, err)
	}
	return s, nil
}

func (l *lab) launch(ctx context.Context, letter string) (*subject, error) {
	switch letter {
	case "a":
		return l.launchBaseline(ctx, letter, "bare")
	case "b":
		return l.launchBaseline(ctx, letter, "pooled", "-ca", l.caFile)
	}
	return l.launchProgram(ctx, letter, l.serviceEnv("bench.invalid"))
}

func (l *lab) launchBaseline(ctx context.Context, letter, role string, args ...string) (*subject, error) {
	c, err := startRole(ctx, role, append(args, "-sfu", "ws://"+l.sfu.Addr)...)
	if err != nil {
		return nil, err
	}
	return &subject{letter: letter, addr: c.Addr, pid: c.pid(), stop: c.stop}, nil
}

// prove asks the subject for a token, and checks it with the code by which an
// SFU verifies tokens. This proves that all subjects do the same work.
func (l *lab) prove(ctx context.Context, s *subject) error {
	server := l.homeserver.Addr
	body := bodyOf(server, "ok-"+strings.Repeat("0", tokenDigits), strings.Repeat("0", userDigits))
	got, err := askToken(ctx, s.addr, body)
	if err != nil {
		return err
	}
	v, err := auth.ParseAPIToken(got.JWT)
	if err != nil {
		return err
	}
	_, grants, err := v.Verify(apiSecret)
	if err != nil {
		return err
	}
	wantRoom := hashed("!bench:"+server, "m.call#ROOM")
	wantIdentity := hashed("@u0000:"+server, "DEVICEID", "xyzABCDEF0123")
	if got.URL != "ws://"+l.sfu.Addr || grants.Identity != wantIdentity || grants.Video == nil || grants.Video.Room != wantRoom {
		return fmt.Errorf("the token has the identity %q, the grants %v and the SFU's URL %q, want the identity %q and the room %q", grants.Identity, grants.Video, got.URL, wantIdentity, wantRoom)
	}
	return proveTicket(s.letter, grants.Attributes)
}

type tokenAnswer struct{ URL, JWT string }

func askToken(ctx context.Context, addr, body string) (got tokenAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/get_token", strings.NewReader(body))
	if err != nil {
		return got, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return got, err
	}
	if response.StatusCode != http.StatusOK {
		return got, fmt.Errorf("the subject answers /get_token with %s %s", response.Status, raw)
	}
	return got, json.Unmarshal(raw, &got)
}
