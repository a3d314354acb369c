package stack

import (
	"context"
	"errors"

	"matrixrtc-auth/matrix/matrixtest"
)

// Stack is a whole deployment, made from what this project ships: the SFU has
// livekit.yaml.example, Synapse the additions of docs/homeserver.md,
// nginx the locations of docs/proxies.md. Only names, ports and paths are replaced.
type Stack struct {
	Host     *Host
	Programs Programs
	Tools    Tools
	Layout   Layout
	Mode     Mode // of Element Call
	// Env adds to the service's configuration, Homeserver to Synapse's.
	Env        map[string]string
	Homeserver []string
	// Replicas is how many services there are; 0 means one. More than one keep
	// their leaves in Redis.
	Replicas int
	// Nodes is how many SFUs there are; 0 means one, without Redis. More than one
	// share a Redis, which is the services', too, if OneRedis.
	Nodes    int
	OneRedis bool
	// Image and User, when set, are those of the services; see [Service.Image].
	Image string
	User  int
	// EachEnv, if set, adds to the configuration of one of the services.
	EachEnv func(replica int) (map[string]string, error)
	// Federated has the homeserver speak to others. Its server name is the
	// address of its listener then, so that nobody asks DNS, and the service
	// asks homeservers there as it asks others on the internet.
	Federated bool
	// Registered has the service be an application service of the homeserver, and
	// the homeserver advertise that.
	Registered bool
	// Pushed has the homeserver push events to a registered service.
	Pushed bool
	// Lent is a homeserver that runs already, made by StartHomeserver of a stack
	// with the same layout. Starting and stopping this stack leaves it alone.
	Lent *Synapse
	// BareListener has the homeserver listen once more, at [Synapse.Bare].
	BareListener bool
	// NoWebhooks leaves the SFU without webhook.urls.
	NoWebhooks bool
	// Written, when set, is a directory that setup wrote. Its files stand in for
	// those that users copy from docs/ and the examples.
	Written string
	// RelayMedia has the SFU tell clients the address of a relay; see
	// [SFU.MediaRelay].
	RelayMedia bool
	// MediaOverTCP has the SFU take media over TCP as well; see [SFU.TCP].
	MediaOverTCP bool

	CA           *matrixtest.CA
	Synapse      *Synapse
	Redis        *Redis // nil for one service
	LiveKitRedis *Redis // nil for one SFU
	SFU          *SFU   // the first
	SFUs         []*SFU
	Services     []*Service
	Nginx        *Nginx

	page      page
	nodes     string // where nginx passes requests of the services on to the nodes
	assembled bool
}

// keyName stands in livekit.yaml.example as webhook.api_key.
const keyName = "matrixrtc"

// Start returns once everything answers. What it started has to be stopped
// even when it fails.
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

// StartHomeserver starts the homeserver alone, to be lent to other stacks.
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

// Part is a component of a stack.
type Part interface {
	Start(context.Context) error
	Stop() error
	Log() Log
	Exited() <-chan struct{}
}

// Parts are the components in the order in which they start; none before Start.
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

// Stop ends everything, in the order in which deployments end: first what
// clients talk to.
func (s *Stack) Stop() error {
	var faults []error
	parts := s.Parts()
	for i := range parts {
		faults = append(faults, parts[len(parts)-1-i].Stop())
	}
	return errors.Join(faults...)
}

// assemble configures the parts of which none is set yet.
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

// SetMode changes how Element Call tells who is in a call, for calls that
// start later.
func (s *Stack) SetMode(mode Mode) error { return s.page.setMode(mode) }

// Login is what the page needs to know about who calls where.
type Login struct {
	UserID      string `json:"userId"`
	DeviceID    string `json:"deviceId"`
	AccessToken string `json:"accessToken"`
	RoomID      string `json:"roomId"`
	Encrypted   bool   `json:"encrypted"` // the media
	BaseURL     string `json:"baseUrl"`   // set by Link
}

// Link returns the address of the page under which somebody calls. The page
// finds the login under the name.
func (s *Stack) Link(name string, login Login) (string, error) {
	login.BaseURL = s.Layout.Homeserver
	return s.Layout.Page + "/#" + name, s.page.keepLogin(name, login)
}

// Hosts has nginx's address for each host name of the layout: what a browser
// or curl is told instead of DNS.
func (s *Stack) Hosts() map[string]string {
	hosts := map[string]string{}
	for _, name := range s.Layout.Names {
		hosts[name] = s.Nginx.address
	}
	return hosts
}
