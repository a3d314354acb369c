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

// Key is an API key of the SFU and its secret.
type Key struct{ ID, Secret string }

// SFU is a LiveKit server. Its configuration is Config, the file that users
// deploy, moved to loopback; see [deploy] for what is replaced.
type SFU struct {
	Host    *Host
	Program string
	Name    string // of its files and log; "sfu" when empty
	Config  string // path of livekit.yaml.example
	Keys    []Key  // for LIVEKIT_KEYS: the only place of the secrets
	// Webhook is the URL that gets its events; empty: nobody does.
	Webhook string
	// Unchanged starts it with the file itself, byte for byte. Flags move it to
	// other ports and away from STUN servers. Nobody can join: lists have no
	// flags, so events would go to the file's webhook, and participants would
	// meet on every interface.
	Unchanged bool
	// MediaRelay has it tell clients 127.0.0.2 and one UDP port, where nobody
	// is until a relay listens there. It receives at 127.0.0.1 and that port.
	MediaRelay bool

	// Redis, when set, is the address of the Redis that it shares with others.
	Redis string

	// OneMediaPort has all media come to one UDP port: for more participants than
	// the ports of a stack allow.
	OneMediaPort bool
	// MaxAttributesSize, when set, is limit.max_attributes_size.
	MaxAttributesSize int
	// TCP has it take media over TCP as well. LiveKit binds that port on every
	// address.
	TCP bool

	ports   livekitPorts
	process *process
}

// Start returns once the SFU answers. A second Start, after Stop, comes back
// on the same ports.
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
	// Its exit code is 0 whatever went wrong: an answer is the only proof.
	return s.process.await(ctx, func() bool { return answers(ctx, s.APIURL()) })
}

func (s *SFU) name() string {
	if s.Name == "" {
		return "sfu"
	}
	return s.Name
}

// Address reserves the SFU's address, so that others can be told of it before it
// starts.
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

// binds are the addresses at which it listens and receives. That for media over
// TCP, which the file as it is has too, is on every address.
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

// keys writes the pairs as LiveKit reads them: a YAML mapping. The quotes keep
// a secret of digits a text; without them LiveKit drops the pair silently.
func (s *SFU) keys() string {
	var lines strings.Builder
	for _, k := range s.Keys {
		fmt.Fprintf(&lines, "%q: %q\n", k.ID, k.Secret)
	}
	return lines.String()
}

// URL is what clients connect to, APIURL its form for HTTP.
func (s *SFU) URL() string    { return fmt.Sprintf("ws://127.0.0.1:%d", s.ports.http) }
func (s *SFU) APIURL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.ports.http) }

// TCPPort is that for media of an SFU with TCP.
func (s *SFU) TCPPort() int { return s.ports.mediaEnd }

// MediaPort is the one UDP port of an SFU with a MediaRelay.
func (s *SFU) MediaPort() int { return s.ports.media }

// PID is the number of its process.
func (s *SFU) PID() int { return s.process.cmd.Process.Pid }

// Stop drains the SFU for 2 s, then forces it, and kills one that takes longer
// than 5 s, which is no fault: LiveKit loses a signal of its first 100 ms, and
// takes its time on a busy machine.
func (s *SFU) Stop() error {
	err := s.process.stop(patience{again: 2 * time.Second, kill: 5 * time.Second})
	if errors.Is(err, errKilled) {
		return nil
	}
	return err
}

// Drain asks the SFU to end once its participants have left, and does not wait
// for that. New rooms go to other nodes.
func (s *SFU) Drain() { s.process.signal(syscall.SIGTERM) }

// StopLikeDocker has the SFU wait for its participants to leave, which they do
// not, and then ends it: `docker stop`, with a shorter wait.
func (s *SFU) StopLikeDocker() {
	_ = s.process.stop(patience{kill: 3 * time.Second}) // it has to be killed
}

// Exited is closed when a started SFU has ended.
func (s *SFU) Exited() <-chan struct{} { return s.process.exited }

// Log is what a started SFU has written.
func (s *SFU) Log() Log { return s.process.log }
