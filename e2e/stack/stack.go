package stack

import (
	"context"
	"errors"

	"matrixrtc-auth/matrix/matrixtest"
)

// Stack is a whole deployment, configured from the files of this project: the
// SFU by livekit.yaml.example, Synapse by docs/homeserver.md, and nginx by
// docs/proxies.md. Only names, ports and paths are replaced.
type Stack struct {
	Host     *Host
	Programs Programs
	Tools    Tools
	Layout   Layout
	Mode     Mode // the mode of Element Call
	// Env has additional variables for the service, and Homeserver additional
	// settings for Synapse.
	Env        map[string]string
	Homeserver []string
	// Replicas is the number of services; 0 means one. Several services keep
	// leaves in a Redis.
	Replicas int
	// Nodes is the number of SFUs; 0 means one, without Redis. Several SFUs
	// share a Redis. With OneRedis the services use the same one.
	Nodes    int
	OneRedis bool
	// Image and User, if set, are those of every service; see [Service.Image].
	Image string
	User  int
	// EachEnv, if set, returns additional variables for the service with the
	// number replica.
	EachEnv func(replica int) (map[string]string, error)
	// Federated makes the homeserver federate. Its server name is then the
	// address of its listener, so that no DNS is needed. The service asks
	// homeservers there with the limits for strangers on the internet.
	Federated bool
	// Registered makes the service an application service of the homeserver,
	// which announces this to clients.
	Registered bool
	// Pushed makes the homeserver push events to the registered service.
	Pushed bool
	// Lent is a homeserver that runs already: StartHomeserver of a stack with
	// the same layout has started it. This stack neither starts nor stops it.
	Lent *Synapse
	// BareListener gives the homeserver a second listener, whose address is
	// [Synapse.Bare].
	BareListener bool
	// NoWebhooks starts an SFU that sends no webhooks.
	NoWebhooks bool
	// Written, if set, is a directory that setup wrote. The stack uses its
	// files instead of the examples and the blocks of docs/.
	Written string
	// RelayMedia makes the SFU name clients the address of a relay for media;
	// see [SFU.MediaRelay].
	RelayMedia bool
	// MediaOverTCP makes the SFU also receive media over TCP; see [SFU.TCP].
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
	nodes     string // the address at which nginx forwards the services' requests to the nodes
	assembled bool
}

// keyName is the API key in livekit.yaml.example (webhook.api_key).
const keyName = "matrixrtc"

// Start returns when all parts answer. Even if Start fails, the caller must
// call Stop.
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

// StartHomeserver starts only the homeserver, which other stacks can use then
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

// Part is a process of a stack.
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

// Stop ends all parts: first those to which clients connect, then those behind
// them.
func (s *Stack) Stop() error {
	var faults []error
	parts := s.Parts()
	for i := range parts {
		faults = append(faults, parts[len(parts)-1-i].Stop())
	}
	return errors.Join(faults...)
}

// assemble configures all parts. It does nothing if that was already done.
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

// Login is what the page must know: which user calls, and in which room.
type Login struct {
	UserID      string `json:"userId"`
	DeviceID    string `json:"deviceId"`
	AccessToken string `json:"accessToken"`
	RoomID      string `json:"roomId"`
	Encrypted   bool   `json:"encrypted"` // whether the call's media is encrypted
	BaseURL     string `json:"baseUrl"`   // the homeserver's URL, which Link sets
}

// Link returns the URL of the page for one user. The URL contains name, by
// which the page finds the login.
func (s *Stack) Link(name string, login Login) (string, error) {
	login.BaseURL = s.Layout.Homeserver
	return s.Layout.Page + "/#" + name, s.page.keepLogin(name, login)
}

// Hosts has nginx' address for each host name of the layout. Browsers and curl
// use it instead of DNS.
func (s *Stack) Hosts() map[string]string {
	hosts := map[string]string{}
	for _, name := range s.Layout.Names {
		hosts[name] = s.Nginx.address
	}
	return hosts
}
