// Command up starts a whole deployment on this machine: Synapse, LiveKit, nginx and the
// service, configured from the examples of this project, with two users and a room. It
// prints two links. Whoever opens both in a browser has a call. Everything runs until
// Ctrl-C.
package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/listen"
	"matrixrtc-auth/matrix/matrixtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "\nThe stack failed: %v\n", err)
		os.Exit(1)
	}
}

// run starts the stack in a temporary directory, and removes the directory at the end.
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
	https, err := website(host)
	if err != nil {
		return err
	}
	if https != "" {
		nginx.Inside = append(nginx.Inside, https)
	}
	ca := matrixtest.NewCA()
	file, err := host.WriteFile("ca.pem", ca.PEM())
	if err != nil {
		return err
	}
	s := &stack.Stack{
		Host: host, Programs: programs, Tools: tools, Nginx: nginx, CA: ca,
		Layout: stack.Loopback(address, https), Mode: stack.Compatibility,
		Env: map[string]string{"SSL_CERT_FILE": file},
	}
	defer func() { _ = s.Stop() }() // errors at the end do not matter
	return serve(ctx, s, https)
}

// website returns an address at port 443 for the website of the server name. Doctor
// fetches the well-known file there. If this process may not listen at port 443,
// website returns "".
func website(host *stack.Host) (string, error) {
	address, err := host.HTTPS()
	if err != nil {
		return "", err
	}
	listener, err := listen.TCP(address)
	if err != nil {
		return "", nil
	}
	return address, listener.Close()
}

// serve starts the stack and prints its addresses. After that, it waits until ctx ends,
// or until a program of the stack ends.
func serve(ctx context.Context, s *stack.Stack, https string) error {
	fmt.Println("Starting ...")
	starting, cancel := context.WithTimeout(ctx, 90*time.Second) // long enough on a busy machine
	defer cancel()
	if err := s.Start(starting); err != nil {
		return err
	}
	links, err := invite(starting, s)
	if err != nil {
		return err
	}
	commands, err := doctorCommands(s, https)
	if err != nil {
		return err
	}
	announce(s, links, commands)
	return stay(ctx, s)
}

// invite registers two users and creates a room for their call. It returns a link for
// each user.
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

func announce(s *stack.Stack, links []string, commands string) {
	fmt.Printf(`
  Synapse       %s  (%s)
  the service   %s
  LiveKit       %s
  logs          %s

  Alice calls at %s
  Bob calls at   %s

%s
Open one link in a browser of this machine and the other in another tab. The
accounts' passwords are "%[9]salice" and "%[9]sbob". Ctrl-C ends all of it.
`, s.Layout.Homeserver, s.Layout.ServerName, s.Layout.Service, s.Layout.SFU, s.Host.Dir,
		links[0], links[1], commands, account.PasswordPrefix)
}

// doctorCommands returns a text with commands that run doctor on this deployment.
// Doctor must find no fault.
func doctorCommands(s *stack.Stack, https string) (string, error) {
	if https == "" {
		return "Doctor asks the server name at port 443, where this user may not listen: for root its\ncommands stand here.\n", nil
	}
	address, err := s.Services[0].Address()
	if err != nil {
		return "", err
	}
	env := []string{"LIVEKIT_JWT_BIND=" + address}
	for _, name := range slices.Sorted(maps.Keys(s.Services[0].Env)) {
		env = append(env, name+"="+s.Services[0].Env[name])
	}
	file, err := s.Host.WriteFile("service.env", []byte(strings.Join(env, "\n")+"\n"))
	if err != nil {
		return "", err
	}
	host, _, _ := net.SplitHostPort(https)
	resolve := " --resolve " + s.Layout.ServerName + ":443:" + host
	return fmt.Sprintf(`Doctor, inside, with the service's environment:
  env $(cat %s) %s doctor --livekit-yaml %s%s
Doctor, outside, as any PC may run it (LiveKit takes no media over TCP here):
  SSL_CERT_FILE=%s %s doctor --outside --server-name %s --skip sfu.tcp_port%s
`, file, s.Programs.Service, filepath.Join(s.Host.Dir, "sfu.yaml"), resolve,
		filepath.Join(s.Host.Dir, "ca.pem"), s.Programs.Service, s.Layout.ServerName, resolve), nil
}

// stay waits until ctx ends or a part of the stack ends.
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
