package stack

import (
	"context"
	"syscall"
	"time"
)

// Service is a process of the real program matrixrtc-auth.
type Service struct {
	Host    *Host
	Program string
	Name    string // the name of the service's log; "service" if empty
	// Env has all environment variables of the service except LIVEKIT_JWT_BIND.
	Env map[string]string
	// Image, if not "", is the root directory of a container image that has the program
	// at the path Program. The service then runs with this root directory and as the
	// user User, as in a container.
	Image string
	User  int

	address string
	process *process
}

// Start returns when the service answers. After Stop, a new Start uses the same port.
func (s *Service) Start(ctx context.Context) error {
	if _, err := s.Address(); err != nil {
		return err
	}
	var err error
	s.process, err = start(ctx, s.Host, command{
		name: s.name(), program: s.Program, env: s.environment(), root: s.Image, as: s.User, binds: []string{s.address},
	})
	if err != nil {
		return err
	}
	return s.process.await(ctx, func() bool { return answers(ctx, s.URL()+"/healthz") })
}

func (s *Service) name() string {
	if s.Name == "" {
		return "service"
	}
	return s.Name
}

func (s *Service) environment() []string {
	env := []string{"LIVEKIT_JWT_BIND=" + s.address}
	for name, value := range s.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// Address reserves the service's address and returns it. Other parts can use the
// address in their configuration before the service starts.
func (s *Service) Address() (string, error) {
	if s.address != "" {
		return s.address, nil
	}
	var err error
	s.address, err = s.Host.Address()
	return s.address, err
}

// URL returns the service's URL, without a slash at the end.
func (s *Service) URL() string { return "http://" + s.address }

// Stop ends the service. The service first finishes the requests that it has. Stop
// returns an error if the service ends with an error, or does not end in time.
func (s *Service) Stop() error { return s.process.stop(ending{kill: 10 * time.Second}) }

// Freeze pauses the service's process (SIGSTOP) until Thaw.
func (s *Service) Freeze() {
	s.process.signal(syscall.SIGSTOP)
	awaitStopped(s.process.cmd.Process.Pid)
}

// Thaw lets a frozen service continue.
func (s *Service) Thaw() { s.process.signal(syscall.SIGCONT) }

// Exited returns a channel that is closed when a started service has ended.
func (s *Service) Exited() <-chan struct{} { return s.process.exited }

// Log returns the log of a started service.
func (s *Service) Log() Log { return s.process.log }
