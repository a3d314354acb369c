package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"matrixrtc-auth/e2e/caller"
)

const opening = `matrixrtc-auth: a real LiveKit SFU admits a participant with a token that this
service minted. Everything runs on 127.0.0.1 and ends with this program.

1. Building the SFU (LiveKit v1.13.5), the service and a WebRTC client
   The first time this takes 2 to 3 minutes, later seconds.
`

const closing = `
It works. All of it stays up until Ctrl-C. Another token, with an OpenID token
that the service has not seen yet:

%s
`

// say prints what one part of the demo does now.
func say(part, url, what string) { fmt.Printf("   %-10s  %-23s  %s\n", part, url, what) }

// admit asks the service for an access token, and joins the SFU with it.
func (d *deployment) admit(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errTooSlow)
	defer cancel()
	answer, err := d.ask(ctx)
	if err != nil {
		return err
	}
	identity, room, err := d.show(answer)
	if err != nil {
		return err
	}
	return d.join(ctx, answer, fmt.Sprintf("joined room=%s identity=%s ", room, identity))
}

// ask prints the curl command for a request, and sends the same request to the service.
func (d *deployment) ask(ctx context.Context) (caller.Answer, error) {
	request := d.request("DEMODEVICE")
	fmt.Printf("\n3. Asking the service for an access token, as a Matrix client does\n\n%s\n\n", d.curl(request))
	answer, err := caller.Post(ctx, d.service.URL()+"/", request)
	if err != nil {
		return answer, err
	}
	if answer.JWT == "" {
		return answer, fmt.Errorf("the service refused with %d: %s\n%s", answer.Status, answer.Body, d.service.Log().Tail(20))
	}
	return answer, nil
}

// curl returns the curl command that sends the request to the service's URL without a
// path.
func (d *deployment) curl(request caller.Legacy) string {
	body, _ := json.Marshal(request) // there is no error, because the request contains only texts and numbers
	quoted := "'" + strings.ReplaceAll(string(body), "'", `'\''`) + "'"
	return "curl -X POST " + d.service.URL() + "/ -H 'Content-Type: application/json' \\\n  -d " + quoted
}

// show prints the answer, and the claims of the token in it. It returns the token's
// identity and room.
func (d *deployment) show(answer caller.Answer) (identity, room string, err error) {
	fmt.Printf("   It answers %d:\n\n%s\n", answer.Status, answer.Body)
	payload, err := caller.Claims(answer.JWT)
	if err != nil {
		return "", "", err
	}
	var claims struct {
		Sub   string
		Video struct{ Room string }
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", "", err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, payload, "   ", "  "); err != nil {
		return "", "", err
	}
	fmt.Printf("\n   The token (jwt) says:\n\n   %s\n", pretty.Bytes())
	return claims.Sub, claims.Video.Room, nil
}

// join starts the client, and prints the client's line about its identity and room. The
// line must begin with the text in promised, which contains the identity and room of
// the token.
func (d *deployment) join(ctx context.Context, answer caller.Answer, promised string) error {
	fmt.Printf("\n4. Joining the SFU at the url with the jwt, over WebRTC\n\n")
	joined, err := d.client.Start(ctx, answer.URL, answer.JWT)
	if err != nil {
		return fmt.Errorf("%w\nThe SFU's log ends:\n%s", err, d.sfu.Log().Tail(20))
	}
	fmt.Println(joined)
	if !strings.HasPrefix(joined, promised) {
		return fmt.Errorf("the SFU let the client in as somebody else, or into another room: the token says %q", promised)
	}
	return nil
}

// stay keeps all parts running. It returns when ctx ends, or when a part ends.
func (d *deployment) stay(ctx context.Context) error {
	fmt.Printf(closing, d.curl(d.request("ANOTHERDEVICE")))
	select {
	case <-ctx.Done():
		fmt.Println("\nStopping.")
		return nil
	case <-d.sfu.Exited():
		return fmt.Errorf("the SFU ended:\n%s", d.sfu.Log().Tail(20))
	case <-d.service.Exited():
		return fmt.Errorf("the service ended:\n%s", d.service.Log().Tail(20))
	case <-d.client.Exited():
		return fmt.Errorf("the client ended:\n%s", d.client.Log().Tail(20))
	}
}
