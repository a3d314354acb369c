// Up starts a whole deployment on this machine, with two users and a room, and
// keeps it until Ctrl-C: Synapse, LiveKit, nginx and the service, configured
// from the examples that this project ships. A call is two links in a browser.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "\nThe stack failed: %v\n", err)
		os.Exit(1)
	}
}

// run keeps a stack in a directory that is gone afterwards.
func run(ctx context.Context) error {
	tools, err := stack.FindTools(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "matrixrtc-auth-stack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	host := stack.NewHost(dir)
	defer host.Close()

	fmt.Println("Building (the first time this takes 2 to 3 minutes) ...")
	programs, err := stack.Build(ctx, dir)
	if err != nil {
		return err
	}
	nginx := &stack.Nginx{Host: host, Program: tools.Nginx}
	address, err := nginx.Address()
	if err != nil {
		return err
	}
	s := &stack.Stack{
		Host: host, Programs: programs, Tools: tools, Nginx: nginx,
		Layout: stack.Loopback(address), Mode: stack.Compatibility,
	}
	defer func() { _ = s.Stop() }() // how the parts end decides nothing any more
	return serve(ctx, s)
}

// serve starts the stack, says what is where, and returns when ctx or a part
// ends.
func serve(ctx context.Context, s *stack.Stack) error {
	fmt.Println("Starting ...")
	starting, cancel := context.WithTimeout(ctx, 90*time.Second) // on a machine that is busy
	defer cancel()
	if err := s.Start(starting); err != nil {
		return err
	}
	links, err := invite(starting, s)
	if err != nil {
		return err
	}
	announce(s, links)
	return stay(ctx, s)
}

// invite makes two users and a room for their call, and returns the link of
// each.
func invite(ctx context.Context, s *stack.Stack) ([]string, error) {
	alice, err := account.Register(ctx, s.Synapse.URL(), "alice")
	if err != nil {
		return nil, err
	}
	bob, err := account.Register(ctx, s.Synapse.URL(), "bob")
	if err != nil {
		return nil, err
	}
	room, err := alice.CreateCallRoom(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := alice.Invite(ctx, room, bob.UserID); err != nil {
		return nil, err
	}
	if err := bob.Join(ctx, room, s.Layout.ServerName); err != nil {
		return nil, err
	}
	return link(s, room, map[string]*account.Account{"alice": alice, "bob": bob})
}

func link(s *stack.Stack, room string, users map[string]*account.Account) ([]string, error) {
	var links []string
	for _, name := range slices.Sorted(maps.Keys(users)) {
		user := users[name]
		link, err := s.Link(name, stack.Login{
			UserID: user.UserID, DeviceID: user.DeviceID, AccessToken: user.AccessToken, RoomID: room, Encrypted: true,
		})
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	return links, nil
}

func announce(s *stack.Stack, links []string) {
	fmt.Printf(`
  Synapse       %s  (%s)
  the service   %s
  LiveKit       %s
  logs          %s

  Alice calls at %s
  Bob calls at   %s

Open one link in a browser of this machine and the other in another tab. The
accounts' passwords are "%[8]salice" and "%[8]sbob". Ctrl-C ends all of it.
`, s.Layout.Homeserver, s.Layout.ServerName, s.Layout.Service, s.Layout.SFU, s.Host.Dir,
		links[0], links[1], account.PasswordPrefix)
}

// stay returns when ctx ends, or a part does.
func stay(ctx context.Context, s *stack.Stack) error {
	ended := make(chan stack.Part, len(s.Parts()))
	for _, part := range s.Parts() {
		go func() {
			<-part.Exited()
			ended <- part
		}()
	}
	select {
	case <-ctx.Done():
		fmt.Println("\nStopping.")
		return nil
	case part := <-ended:
		return fmt.Errorf("a part has ended:\n%s", part.Log().Tail(20))
	}
}
