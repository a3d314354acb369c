package stack

import (
	"context"
	"syscall"
	"time"
)

// Service is the authorization service, the real binary.
type Service struct {
	Host    *Host
	Program string
	Name    string // of its log; "service" when empty
	// Env is its whole configuration, without LIVEKIT_JWT_BIND.
	Env map[string]string
	// Image, when set, is the root of a container image that holds Program. The
	// service runs in it as a container does, as the user User.
	Image string
	User  int

	address string
	process *process
}

// Start returns once the service answers. A second Start, after Stop, comes
// back on the same port.
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

// Address reserves the service's address, so that others can be told of it
// before it starts.
func (s *Service) Address() (string, error) {
	if s.address != "" {
		return s.address, nil
	}
	var err error
	s.address, err = s.Host.Address()
	return s.address, err
}

// URL is the service's bare URL, without a slash at its end.
func (s *Service) URL() string { return "http://" + s.address }

// Stop asks the service to finish what it does, and returns how it ended.
func (s *Service) Stop() error { return s.process.stop(patience{kill: 10 * time.Second}) }

// Freeze stops the service's process where it stands, until Thaw.
func (s *Service) Freeze() {
	s.process.signal(syscall.SIGSTOP)
	awaitStopped(s.process.cmd.Process.Pid)
}

// Thaw lets it go on.
func (s *Service) Thaw() { s.process.signal(syscall.SIGCONT) }

// Exited is closed when a started service has ended.
func (s *Service) Exited() <-chan struct{} { return s.process.exited }

// Log is what a started service has written.
func (s *Service) Log() Log { return s.process.log }
