package setup

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/matrix"
)

// plan is the checked form of the options. A field with the name of a field in
// [options] holds the same value.
type plan struct {
	Servers        []matrix.ServerName // the homeservers whose users may start calls
	Server         matrix.ServerName   // the first of them
	BaseURLs       addresses           // the URLs of the homeservers for clients
	HomeserverURLs addresses           // the URLs of the homeservers for the container; a server without one is reached at its public name
	SingleHost     string              // the host of both service and LiveKit; "" if each has its own host
	JWTHost        string              // the host of this service
	SFUHost        string              // the host of LiveKit
	// HomeserverNetwork is the Docker network of the homeserver's containers,
	// which this service joins; "" for none.
	HomeserverNetwork string
	AppServiceURL     string // the URL of this service for the homeserver; "" without the application-service mode
	Media             ports
	Relay             ports // the ports of TURN's relay; unused without TURN
	JWTPort           int
	TURN              bool   // whether there is TURN over UDP
	TURNTLS           string // the host name of TURN over TLS, "" for none
	Certificate       []byte // the certificate for TURNTLS; nil if a proxy in front ends TLS
	privateKey        []byte
	Dir               string
	Image             string // the name of the image; "" for the template's image
	Build             string // the path of the source relative to Dir; "" for none
	ImageArch         string // the processor for which to make an image; "" for none

	answers           map[string]string // what the folder will remember, by option
	templateImage     string            // the image that compose.yaml names without a flag
	program           source            // the source of the image
	key               pair
	registration      appservice.Registration // the registration of the application-service mode
	force, newSecrets bool
	serverBlock       bool      // print whole server blocks for the proxies, also for a single host
	mergeEnv          merger    // set once the folder is known
	before            *plan     // the last run's plan; nil if unknown
	over              *takeover // what setup takes over from another deployment; nil for nothing
	takenPage         string    // the content of takenFile; "" for none
	apply             func(*update) error
	notes             []string
}

// The path prefixes of a single host.
const (
	jwtPrefix = "/livekit/jwt"
	sfuPrefix = "/livekit/sfu"
)

// JWTURL returns this service's URL for clients.
func (p plan) JWTURL() string {
	if p.SingleHost != "" {
		return "https://" + p.SingleHost + jwtPrefix
	}
	return "https://" + p.JWTHost
}

// SFUURL returns LiveKit's URL for clients with the scheme https.
func (p plan) SFUURL() string {
	if p.SingleHost != "" {
		return "https://" + p.SingleHost + sfuPrefix
	}
	return "https://" + p.SFUHost
}

// LiveKitURL returns LiveKit's URL for clients.
func (p plan) LiveKitURL() string { return "wss" + strings.TrimPrefix(p.SFUURL(), "https") }

// Hosts returns the host names that need DNS records and certificates.
func (p plan) Hosts() []string {
	if p.SingleHost != "" {
		return []string{p.SingleHost}
	}
	return []string{p.JWTHost, p.SFUHost}
}

// Relays reports whether there is TURN, over UDP or over TLS.
func (p plan) Relays() bool { return p.TURN || p.TURNTLS != "" }

// MediaHost returns a host name of the machine on which LiveKit runs.
func (p plan) MediaHost() string { return cmp.Or(p.SingleHost, p.SFUHost) }

// planner checks options and collects faults. Each fault names its flag.
type planner struct {
	options
	plan
	faults []error
	asking bool // a person will be asked for what is missing
}

func (b *planner) fault(flag, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	colon := ":"
	if goesOn().MatchString(text) {
		colon = ""
	}
	b.faults = append(b.faults, fmt.Errorf("--%s%s %s", flag, colon, text))
}

// goesOn matches a fault that continues a sentence which begins with the flag.
// Such a fault needs no colon after the flag.
var goesOn = pattern.New(`^(is|has|and) `)

func (b *planner) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// newPlan checks all options, and returns the plan or every fault at once.
func newPlan(o options) (plan, error) { return (&planner{options: o}).check() }

// checkGiven checks only the given options, because a person will be asked for
// the others.
func checkGiven(o options) error {
	_, err := (&planner{options: o, asking: true}).check()
	return err
}

func (b *planner) check() (plan, error) {
	o := b.options
	b.empties()
	if !b.asking {
		b.faults = append(b.faults, b.memory.demand(&o)...)
	}
	b.plan.apply = o.apply
	b.plan.force, b.plan.newSecrets = o.force, o.newSecrets
	b.plan.over = o.over
	b.plan.serverBlock = o.serverBlock
	if o.serverBlock && o.singleHost == "" {
		b.note("--server-block is for --single-host; names of their own get whole blocks anyway")
	}
	b.names()
	b.homeserver()
	b.appservice()
	b.ports()
	b.relay()
	b.folder()
	b.archive()
	b.plan.answers = b.remembered()
	return b.plan, errors.Join(b.faults...)
}

// remembered returns the answers to store in the folder. Their paths are
// absolute.
func (b *planner) remembered() map[string]string {
	values := map[string]string{}
	for _, a := range b.options.answers() {
		values[a.name] = a.get()
	}
	if len(b.Servers) > 0 {
		values["server-name"] = withCommas(b.Servers)
	}
	if b.Build != "" {
		values["source"] = b.Build
	}
	if b.ImageArch != "" {
		values["image-arch"] = b.ImageArch
	}
	for _, name := range []string{"turn-cert", "turn-key"} {
		if path, err := filepath.Abs(values[name]); b.given[name] && values[name] != "" && err == nil {
			values[name] = path
		}
	}
	return values
}

// value parses a required flag. what describes the flag for the error that it
// is missing.
func value[T any](b *planner, flag, text, what string, parse func(string) (T, error)) T {
	var none T
	if text == "" {
		if !b.asking {
			b.fault(flag, "is missing: %s", what)
		}
		return none
	}
	v, err := parse(text)
	if err != nil {
		b.fault(flag, "%v", err)
	}
	return v
}

// empties refuses empty values, because an unset variable in a script must not
// switch anything off.
func (b *planner) empties() {
	for _, a := range b.options.answers() {
		switch {
		case !b.given[a.name] || a.text == nil || *a.text != "" || b.switchedOff[a.name]:
		case a.optional():
			b.fault(a.name, "is empty: write a value, or %s to switch it off", none)
		default:
			b.fault(a.name, "is empty: write a value")
		}
	}
}

func (b *planner) names() {
	b.serverNames()
	if b.singleHost != "" {
		if b.jwtHost != "" || b.sfuHost != "" {
			b.fault("single-host", "is one name for both: leave it out, or --jwt-host and --sfu-host")
		}
		b.SingleHost = value(b, "single-host", b.singleHost, "", parseHost)
		return
	}
	b.JWTHost = value(b, "jwt-host", b.jwtHost, "the name of this service, like jwt.example.org (or --single-host for both)", parseHost)
	b.SFUHost = value(b, "sfu-host", b.sfuHost, "the name of LiveKit, like sfu.example.org (or --single-host for both)", parseHost)
	if b.JWTHost != "" && b.JWTHost == b.SFUHost {
		b.fault("sfu-host", "is the name of --jwt-host, too: write two different names, or write the name as --single-host")
	}
	for _, name := range [][2]string{{"jwt-host", b.JWTHost}, {"sfu-host", b.SFUHost}} {
		for _, server := range b.Servers {
			if err := notTheServer(server, name[0], name[1]); err != nil {
				b.fault(name[0], "%v", err)
			}
		}
	}
}

// notTheServer refuses a host name that is the server name, because a name
// leads to only one place, and the server name must serve the well-known file.
func notTheServer(server matrix.ServerName, flag, host string) error {
	if host == "" || host != strings.ToLower(server.Host()) {
		return nil
	}
	return fmt.Errorf("%s is the server name, which must serve the well-known file: write a name below it, like %s.%[1]s, or use --single-host",
		host, strings.TrimSuffix(flag, "-host"))
}

// appservice checks the URL at which the homeserver reaches this service.
func (b *planner) appservice() {
	switch {
	case !b.appService && b.appServiceURL != "":
		b.fault("appservice-url", "is for --appservice, which is missing")
	case !b.appService:
	case b.appServiceURL != "":
		b.AppServiceURL = value(b, "appservice-url", b.appServiceURL, "", parseAppServiceURL)
	default:
		b.AppServiceURL = b.JWTURL()
		b.note("the homeserver forwards requests to %s; if the homeserver does not reach this service there, give --appservice-url", b.AppServiceURL)
	}
	if b.appService && len(b.Servers) > 1 {
		b.note("the application-service mode is for the homeserver of %s, the first --server-name; for the others leave app_service_config_files, msc4502_enabled, msc4512_enabled and \"url:\" out of homeserver-additions.yaml", b.Server)
	}
}

func (b *planner) relay() {
	b.TURN = b.turn
	if b.turnTLS == "" {
		if flag := cmp.Or(named("turn-cert", b.turnCert), named("turn-key", b.turnKey)); flag != "" {
			b.fault(flag, "is for --turn-tls, which is missing: the name that the certificate is for")
		}
		return
	}
	b.TURNTLS = value(b, "turn-tls", b.turnTLS, "", parseHost)
	for _, host := range b.Hosts() {
		if b.TURNTLS != "" && b.TURNTLS == host {
			b.fault("turn-tls", "port 443 of %s leads to the reverse proxy: write a name of its own, like turn.%s", host, parentOf(b.serverName))
		}
	}
	switch {
	case b.turnCert == "" && b.turnKey == "":
		b.note("--turn-tls without --turn-cert: something in front must end TLS and pass plain TCP to port %d", turnTLSPort)
	case b.turnKey == "":
		b.fault("turn-key", "is missing: the private key of --turn-cert")
	case b.turnCert == "":
		b.fault("turn-cert", "is missing: the certificate of --turn-key")
	default:
		b.certificate()
	}
}

func named(flag, value string) string {
	if value == "" {
		return ""
	}
	return flag
}
