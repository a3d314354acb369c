package stack

import (
	"context"
	"errors"

	"matrixrtc-auth/matrix/matrixtest"
)

// Stack is a whole deployment that is configured with the files of this project.
// livekit.yaml.example is for the SFU, docs/homeserver.md for Synapse, and
// docs/proxies.md for nginx. The stack replaces only names, ports and paths in them.
type Stack struct {
	Host     *Host
	Programs Programs
	Tools    Tools
	Layout   Layout
	Mode     Mode // the mode of Element Call
	// Env has additional environment variables of the service. Homeserver has
	// additional settings of Synapse.
	Env        map[string]string
	Homeserver []string
	// Replicas is the number of services; 0 means one service. Several services keep
	// their jobs in a Redis.
	Replicas int
	// Nodes is the number of SFUs; 0 means one SFU without a Redis. Several SFUs share
	// a Redis. If OneRedis is set, they use the Redis of the services.
	Nodes    int
	OneRedis bool
	// Image and User are the image and the user of all services; see [Service.Image].
	Image string
	User  int
	// EachEnv, if not nil, returns additional environment variables of one service.
	// replica is the number of the service, from 0.
	EachEnv func(replica int) (map[string]string, error)
	// Federated makes the homeserver federate. The server name is then the address of the
	// homeserver's listener, so that no DNS is needed. When the service connects to the
	// homeserver, it applies the limits for homeservers that its configuration does not
	// name.
	Federated bool
	// Registered makes the service an application service of the homeserver. The
	// homeserver then tells clients the service's URL in its list of transports.
	Registered bool
	// Pushed makes the homeserver push events to the service. It has an effect only if
	// Registered is set.
	Pushed bool
	// Lent, if not nil, is a homeserver that already runs. The method StartHomeserver
	// of another stack with the same layout started it. This stack neither starts nor
	// stops it.
	Lent *Synapse
	// BareListener gives the homeserver a second listener; see [Synapse.Bare].
	BareListener bool
	// NoWebhooks makes the SFU send no webhooks.
	NoWebhooks bool
	// Written, if not "", is a directory with files that setup wrote. The stack then
	// uses these files, and not the examples and the blocks of docs/.
	Written string
	// RelayMedia makes media go through a relay, which the test must start; see
	// [SFU.MediaRelay].
	RelayMedia bool
	// MediaOverTCP makes the SFU receive media over TCP as well; see [SFU.TCP].
	MediaOverTCP bool

	CA           *matrixtest.CA
	Synapse      *Synapse
	Redis        *Redis // nil if there is only one service
	LiveKitRedis *Redis // nil if there is only one SFU
	SFU          *SFU   // the first SFU
	SFUs         []*SFU
	Services     []*Service
	Nginx        *Nginx

	page      page
	nodes     string // the address at which nginx forwards the services' requests to the nodes; "" for a single SFU
	assembled bool
}

// keyName is the name of the API key in livekit.yaml.example (webhook.api_key).
const keyName = "matrixrtc"

// Start starts all parts of the stack, and returns when all of them answer. Even after
// an error, the caller must call Stop.
func (s *Stack) Start(ctx context.Context) error {
	if err := s.assemble(ctx); err != nil {
		return err
	}
	s.assembled = true
	for _, part := range s.Parts() {
		if err := part.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// StartHomeserver starts only the homeserver. Other stacks can then use it as
// [Stack.Lent].
func (s *Stack) StartHomeserver(ctx context.Context) error {
	text, err := OpenDocs(ctx)
	if err != nil {
		return err
	}
	if err := s.assembleSynapse(text); err != nil {
		return err
	}
	return s.Synapse.Start(ctx)
}

// Part is a process of a stack.
type Part interface {
	Start(context.Context) error
	Stop() error
	Log() Log
	Exited() <-chan struct{}
}

// Parts returns the parts in the order in which they start. Before Start it returns
// none.
func (s *Stack) Parts() []Part {
	if !s.assembled {
		return nil
	}
	var parts []Part
	if s.Lent == nil {
		parts = append(parts, s.Synapse)
	}
	for _, redis := range s.redises() {
		parts = append(parts, redis)
	}
	for _, node := range s.SFUs {
		parts = append(parts, node)
	}
	for _, service := range s.Services {
		parts = append(parts, service)
	}
	return append(parts, s.Nginx)
}

// Stop ends all parts, in the opposite order of their start. The parts to which clients
// connect end first.
func (s *Stack) Stop() error {
	var faults []error
	parts := s.Parts()
	for i := range parts {
		faults = append(faults, parts[len(parts)-1-i].Stop())
	}
	return errors.Join(faults...)
}

// assemble configures all parts. The caller must call it only once, because each call
// adds the SFUs and services again.
func (s *Stack) assemble(ctx context.Context) error {
	text, err := OpenDocs(ctx)
	if err != nil {
		return err
	}
	if s.CA == nil {
		s.CA = matrixtest.NewCA()
	}
	if s.page, err = buildPage(ctx, s.Host, s.Tools.Page, s.Mode); err != nil {
		return err
	}
	if err := s.assembleSynapse(text); err != nil {
		return err
	}
	if err := s.assembleSFU(ctx); err != nil {
		return err
	}
	if err := s.register(); err != nil {
		return err
	}
	return s.assembleNginx(text)
}

// SetMode changes the mode of Element Call for calls that start later.
func (s *Stack) SetMode(mode Mode) error { return s.page.setMode(mode) }

// Login tells the page that runs Element Call which user calls, and in which Matrix
// room.
type Login struct {
	UserID      string `json:"userId"`
	DeviceID    string `json:"deviceId"`
	AccessToken string `json:"accessToken"`
	RoomID      string `json:"roomId"`
	Encrypted   bool   `json:"encrypted"` // true if the media of the call is encrypted
	BaseURL     string `json:"baseUrl"`   // the URL of the homeserver; the method Link sets it
}

// Link returns the URL of the page for one user. The URL contains the name, and the
// page uses the name to find the user's login.
func (s *Stack) Link(name string, login Login) (string, error) {
	login.BaseURL = s.Layout.Homeserver
	return s.Layout.Page + "/#" + name, s.page.keepLogin(name, login)
}

// Hosts returns the address of nginx for each host name of the layout. Browsers and
// curl use these addresses in place of DNS.
func (s *Stack) Hosts() map[string]string {
	hosts := map[string]string{}
	for _, name := range s.Layout.Names {
		hosts[name] = s.Nginx.address
	}
	return hosts
}
