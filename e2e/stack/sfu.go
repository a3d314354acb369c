package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// Key is an API key of the SFU, with its secret.
type Key struct{ ID, Secret string }

// SFU is a LiveKit server. Its configuration file is Config, with the changes that
// [deploy] makes: LiveKit then uses only the loopback interface.
type SFU struct {
	Host    *Host
	Program string
	Name    string // the name of the SFU's files and log; "sfu" if empty
	Config  string // the path of a livekit.yaml, like livekit.yaml.example
	Keys    []Key  // the content of LIVEKIT_KEYS; no file contains the secrets
	// Webhook is the URL to which the SFU sends webhooks. If it is "", the SFU sends
	// none.
	Webhook string
	// Unchanged makes the SFU use the file Config without changes. Command-line flags
	// set other ports, and keep the SFU from asking STUN servers. There are no flags for
	// webhook URLs and interfaces. So webhooks go to the URL in the file, and media uses
	// all interfaces. That is why nobody should join a call on such an SFU.
	Unchanged bool
	// MediaRelay makes the SFU give clients the address 127.0.0.2 and one UDP port for
	// media. A relay must listen there, and forward the media to the same port of
	// 127.0.0.1.
	MediaRelay bool

	// Redis is the address of the Redis that the nodes of a cluster share. If it is "",
	// the SFU is not in a cluster.
	Redis string

	// OneMediaPort makes all media arrive at one UDP port. Without it, a stack does not
	// have enough ports for many participants.
	OneMediaPort bool
	// MaxAttributesSize is the value of limit.max_attributes_size, in bytes. 0 leaves
	// the setting as it is.
	MaxAttributesSize int
	// TCP makes the SFU receive media over TCP as well. LiveKit binds this TCP port on
	// every address of the machine, and the other ports only on loopback.
	TCP bool

	ports   livekitPorts
	process *process
}

// Start returns when the SFU answers. After Stop, a new Start uses the same ports.
func (s *SFU) Start(ctx context.Context) error {
	if err := s.reserve(); err != nil {
		return err
	}
	args, err := s.arguments()
	if err != nil {
		return err
	}
	s.process, err = start(ctx, s.Host, command{
		binds: s.binds(),
		name:  s.name(), program: s.Program, args: args,
		env: []string{"LIVEKIT_KEYS=" + s.keys()},
	})
	if err != nil {
		return err
	}
	// LiveKit ends with exit code 0 even after errors. So only an answer shows that LiveKit
	// runs.
	return s.process.await(ctx, func() bool { return answers(ctx, s.APIURL()) })
}

func (s *SFU) name() string {
	if s.Name == "" {
		return "sfu"
	}
	return s.Name
}

// Address reserves the SFU's address and returns it. Other parts can use the address in
// their configuration before the SFU starts.
func (s *SFU) Address() (string, error) {
	err := s.reserve()
	return loopback(s.ports.http), err
}

func (s *SFU) reserve() error {
	if s.ports.http != 0 {
		return nil
	}
	first, err := s.Host.ports(livekitPortCount)
	s.ports = layOut(first)
	return err
}

// binds returns the addresses that the SFU binds. If there is a port for media over
// TCP, the SFU binds it on every address.
func (s *SFU) binds() []string {
	addresses := s.ports.loopback()
	switch {
	case s.Unchanged:
		addresses = append(addresses, everywhere(s.ports.media))
	case s.TCP:
		addresses = append(addresses, everywhere(s.TCPPort()))
	}
	return addresses
}

func (s *SFU) arguments() ([]string, error) {
	if s.Unchanged {
		return append([]string{"--config", s.Config}, s.ports.flags()...), nil
	}
	example, err := os.ReadFile(s.Config)
	if err != nil {
		return nil, err
	}
	content, err := deploy(example, s.ports, s.Webhook)
	if err == nil && s.Redis != "" {
		content, err = sharing(content, s.Redis)
	}
	if err == nil && s.TCP {
		content, err = overTCP(content, s.ports)
	}
	if err == nil && s.OneMediaPort {
		content, err = overOnePort(content, s.ports)
	}
	if err == nil && s.MaxAttributesSize != 0 {
		content, err = limitAttributes(content, s.MaxAttributesSize)
	}
	if err == nil && s.MediaRelay {
		content, err = relayMedia(content, s.ports)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Config, err)
	}
	path, err := s.Host.WriteFile(s.name()+".yaml", content)
	return []string{"--config", path}, err
}

// keys returns the API keys in the form of LIVEKIT_KEYS, which is a YAML mapping. The
// secrets are in quotation marks. LiveKit would otherwise read a secret of digits as a
// number, and drop the key silently.
func (s *SFU) keys() string {
	var lines strings.Builder
	for _, k := range s.Keys {
		fmt.Fprintf(&lines, "%q: %q\n", k.ID, k.Secret)
	}
	return lines.String()
}

// URL returns the URL at which clients connect, with the scheme ws. APIURL returns the
// same URL with the scheme http.
func (s *SFU) URL() string    { return fmt.Sprintf("ws://127.0.0.1:%d", s.ports.http) }
func (s *SFU) APIURL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.ports.http) }

// TCPPort returns the SFU's port for media over TCP.
func (s *SFU) TCPPort() int { return s.ports.mediaEnd }

// MediaPort returns the UDP port for media. The result is valid only if MediaRelay is
// set.
func (s *SFU) MediaPort() int { return s.ports.media }

// PID returns the process id of the SFU.
func (s *SFU) PID() int { return s.process.cmd.Process.Pid }

// Stop ends the SFU. It sends SIGTERM, again SIGTERM after 2 s, and SIGKILL after 5 s.
// Stop returns no error if it sends SIGKILL, because LiveKit misses signals in its
// first 100 ms, and a busy machine needs time.
func (s *SFU) Stop() error {
	err := s.process.stop(ending{again: 2 * time.Second, kill: 5 * time.Second})
	if errors.Is(err, errKilled) {
		return nil
	}
	return err
}

// Drain tells the SFU to end when its participants have left, and returns immediately.
// From then on, other nodes get new rooms.
func (s *SFU) Drain() { s.process.signal(syscall.SIGTERM) }

// StopLikeDocker ends the SFU as `docker stop` does, but waits for a shorter time. The
// SFU waits until its participants leave. They stay, so StopLikeDocker kills the SFU.
func (s *SFU) StopLikeDocker() {
	_ = s.process.stop(ending{kill: 3 * time.Second}) // stop returns an error because the SFU is killed
}

// Exited returns a channel that is closed when a started SFU has ended.
func (s *SFU) Exited() <-chan struct{} { return s.process.exited }

// Log returns the log of a started SFU.
func (s *SFU) Log() Log { return s.process.log }
