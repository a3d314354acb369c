package stack

import (
	"context"
	"errors"

	"matrixrtc-auth/matrix/matrixtest"
)

// Stack is a whole deployment, made from the files of this project: the SFU
// uses livekit.yaml.example, Synapse the settings of docs/homeserver.md, nginx
// the locations of docs/proxies.md. Only names, ports and paths are replaced.
type Stack struct {
	Host     *Host
	Programs Programs
	Tools    Tools
	Layout   Layout
	Mode     Mode // of Element Call
	// Env holds additional variables of the service, Homeserver additional
	// settings of Synapse.
	Env        map[string]string
	Homeserver []string
	// Replicas is the number of services; 0 means one. If there are several, they
	// store leaves in Redis.
	Replicas int
	// Nodes is the number of SFUs; 0 means one, without Redis. If there are
	// several, they share a Redis. With OneRedis the services use the same Redis.
	Nodes    int
	OneRedis bool
	// Image and User, if set, are those of the services; see [Service.Image].
	Image string
	User  int
	// EachEnv, if set, returns additional variables of one of the services.
	EachEnv func(replica int) (map[string]string, error)
	// Federated makes the homeserver federate. Its server name is then the address
	// of its listener, so nobody asks DNS. The service asks homeservers there as
	// it asks strangers on the internet.
	Federated bool
	// Registered makes the service an application service of the homeserver, and
	// makes the homeserver announce that to clients.
	Registered bool
	// Pushed makes the homeserver push events to a registered service.
	Pushed bool
	// Lent is a homeserver that already runs. StartHomeserver of a stack with the
	// same layout has started it. Starting and stopping this stack does not change
	// it.
	Lent *Synapse
	// BareListener gives the homeserver a second listener, at [Synapse.Bare].
	BareListener bool
	// NoWebhooks starts the SFU without webhook.urls.
	NoWebhooks bool
	// Written, if set, is a directory that setup wrote. Its files replace those
	// that users copy from docs/ and the examples.
	Written string
	// RelayMedia makes the SFU tell clients the address of a relay; see
	// [SFU.MediaRelay].
	RelayMedia bool
	// MediaOverTCP makes the SFU also accept media over TCP; see [SFU.TCP].
	MediaOverTCP bool

	CA           *matrixtest.CA
	Synapse      *Synapse
	Redis        *Redis // nil if there is one service
	LiveKitRedis *Redis // nil if there is one SFU
	SFU          *SFU   // the first SFU
	SFUs         []*SFU
	Services     []*Service
	Nginx        *Nginx

	page      page
	nodes     string // where nginx accepts the services' requests for the nodes
	assembled bool
}

// keyName is webhook.api_key in livekit.yaml.example.
const keyName = "matrixrtc"

// Start returns when all parts answer. The caller must call Stop even if Start
// fails.
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

// StartHomeserver starts only the homeserver, which other stacks can use
// ([Stack.Lent]).
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

// Parts returns the components in the order in which they start. It returns
// none before Start.
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

// Stop ends all parts, in the usual order: first those to which clients
// connect.
func (s *Stack) Stop() error {
	var faults []error
	parts := s.Parts()
	for i := range parts {
		faults = append(faults, parts[len(parts)-1-i].Stop())
	}
	return errors.Join(faults...)
}

// assemble configures all parts, unless that was done before.
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

// SetMode changes how Element Call announces who is in a call, for calls that
// start later.
func (s *Stack) SetMode(mode Mode) error { return s.page.setMode(mode) }

// Login is what the page must know: who calls, and where.
type Login struct {
	UserID      string `json:"userId"`
	DeviceID    string `json:"deviceId"`
	AccessToken string `json:"accessToken"`
	RoomID      string `json:"roomId"`
	Encrypted   bool   `json:"encrypted"` // whether media is encrypted
	BaseURL     string `json:"baseUrl"`   // Link sets it
}

// Link returns the URL of the page for one user. The page finds the login by
// the name.
func (s *Stack) Link(name string, login Login) (string, error) {
	login.BaseURL = s.Layout.Homeserver
	return s.Layout.Page + "/#" + name, s.page.keepLogin(name, login)
}

// Hosts maps each host name of the layout to nginx' address. Browsers and curl
// use it instead of DNS.
func (s *Stack) Hosts() map[string]string {
	hosts := map[string]string{}
	for _, name := range s.Layout.Names {
		hosts[name] = s.Nginx.address
	}
	return hosts
}
