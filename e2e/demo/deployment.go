package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
)

// deployment is everything that a call needs: a homeserver, an SFU, the
// service, and a client.
type deployment struct {
	homeserver *matrixtest.Server
	sfu        *stack.SFU
	service    *stack.Service
	client     *stack.Client
}

// build builds the programs. At the start it prints how long a build takes. During the
// build it prints a line every half minute.
func build(ctx context.Context, dir string) (stack.Programs, error) {
	fmt.Print(opening)
	began := time.Now()
	built := make(chan struct{})
	go reassure(began, built)
	programs, err := stack.Build(ctx, dir)
	close(built)
	if err == nil {
		fmt.Printf("   built in %s\n", time.Since(began).Round(100*time.Millisecond))
	}
	return programs, err
}

func reassure(began time.Time, built <-chan struct{}) {
	ticker := time.NewTicker(30 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			fmt.Printf("   ... %s\n", time.Since(began).Round(time.Second))
		case <-built:
			return
		}
	}
}

// deploy starts all parts except the client. The caller must stop the result even if
// there is an error.
func deploy(ctx context.Context, host *stack.Host, programs stack.Programs) (*deployment, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errTooSlow)
	defer cancel()
	fmt.Print("\n2. Starting\n")
	d := &deployment{client: &stack.Client{Host: host, Program: programs.Join}}
	if err := d.startHomeserver(host); err != nil {
		return d, err
	}
	key := stack.Key{ID: "matrixrtc", Secret: rand.Text() + rand.Text()}
	if err := d.startSFU(ctx, host, programs.SFU, key); err != nil {
		return d, err
	}
	return d, d.startService(ctx, host, programs.Service, key)
}

var errTooSlow = fmt.Errorf("the deployment took more than 20 seconds to start")

func (d *deployment) startHomeserver(host *stack.Host) error {
	address, err := host.Address()
	if err != nil {
		return err
	}
	d.homeserver = matrixtest.NewServer(matrixtest.Listen(address))
	say("homeserver", d.homeserver.URL(), "a fake that issues and confirms OpenID tokens")
	return nil
}

func (d *deployment) startSFU(ctx context.Context, host *stack.Host, program string, key stack.Key) error {
	repository, err := stack.Repository(ctx)
	if err != nil {
		return err
	}
	d.sfu = &stack.SFU{
		Host: host, Program: program, Keys: []stack.Key{key},
		Config: filepath.Join(repository, "livekit.yaml.example"),
	}
	if err := d.sfu.Start(ctx); err != nil {
		return err
	}
	say("SFU", d.sfu.URL(), "livekit-server with livekit.yaml.example, moved to loopback")
	return nil
}

func (d *deployment) startService(ctx context.Context, host *stack.Host, program string, key stack.Key) error {
	ca, err := host.WriteFile("homeserver-ca.pem", d.homeserver.CACert())
	if err != nil {
		return err
	}
	d.service = &stack.Service{Host: host, Program: program, Env: map[string]string{
		"LIVEKIT_URL":                     d.sfu.URL(),
		"LIVEKIT_KEY":                     key.ID,
		"LIVEKIT_SECRET":                  key.Secret,
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": d.homeserver.Name().String(),
		"LIVEKIT_CA_FILE":                 ca,
		"LIVEKIT_STORE":                   "memory",
	}}
	if err := d.service.Start(ctx); err != nil {
		return err
	}
	say("service", d.service.URL(), "matrixrtc-auth: LIVEKIT_URL="+d.sfu.URL())
	return nil
}

// request returns the body of a request by a client of Alice, with a new OpenID token.
func (d *deployment) request(device string) caller.Legacy {
	return caller.Legacy{
		Room: "!demo:" + d.homeserver.Name().String(),
		OpenIDToken: caller.OpenIDToken{
			AccessToken:      d.homeserver.IssueToken(d.homeserver.UserID("alice")),
			ExpiresIn:        3600,
			MatrixServerName: d.homeserver.Name().String(),
			TokenType:        "Bearer",
		},
		DeviceID: device,
	}
}

// stop ends all parts, and ignores errors. The client ends first, because an SFU waits
// until its participants have left.
func (d *deployment) stop() {
	_ = d.client.Stop()
	if d.service != nil {
		_ = d.service.Stop()
	}
	if d.sfu != nil {
		_ = d.sfu.Stop()
	}
	if d.homeserver != nil {
		d.homeserver.Close()
	}
}
