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

// plan holds the checked options. A field with the same name as a field of
// [options] has the same value.
type plan struct {
	Servers        []matrix.ServerName // the homeservers whose users may start calls
	Server         matrix.ServerName   // the first of Servers
	BaseURLs       addresses           // the homeservers' public URLs
	HomeserverURLs addresses           // the URLs at which the service's container reaches the homeservers; if a server has no entry, the container uses the server's public name
	SingleHost     string              // the one host name of the service and LiveKit; "" if each has its own
	JWTHost        string              // the host name of this service
	SFUHost        string              // the host name of LiveKit
	// HomeserverNetwork is the Docker network of the homeserver's containers.
	// This service's container joins that network. "" means no network.
	HomeserverNetwork string
	AppServiceURL     string // the URL at which the homeserver reaches this service; "" without the application-service mode
	Media             ports
	Relay             ports // the ports of TURN's relay; unused without TURN
	JWTPort           int
	TURN              bool   // whether LiveKit offers TURN over UDP
	TURNTLS           string // the host name of TURN over TLS; "" for no TURN over TLS
	Certificate       []byte // the certificate for the host TURNTLS; nil if a proxy in front of LiveKit has it
	privateKey        []byte
	Dir               string
	Image             string // the image's name from --image; "" means the name in the repository's compose.yaml
	Build             string // the path from Dir to the source from which Docker builds the image; "" if Docker builds none
	ImageArch         string // the processor for which setup makes an image; "" for no image

	answers           map[string]string // the answers that setup stores in the folder, by option
	templateImage     string            // the image's name in the repository's compose.yaml
	program           source            // the source from which setup makes the image
	key               pair
	registration      appservice.Registration // the registration file of the application-service mode
	force, newSecrets bool
	serverBlock       bool      // whether the files for nginx and Caddy have a whole server block even for a single host
	mergeEnv          merger    // merges .env with a person's changes; nil until the folder is open
	before            *plan     // the plan of the last run's answers; nil if unknown
	over              *takeover // what setup takes over from an old deployment; nil for nothing
	takenPage         string    // the content of takenFile; "" for none
	apply             func(*update) error
	notes             []string
}

// The paths of the service and of LiveKit below a single host name.
const (
	jwtPrefix = "/livekit/jwt"
	sfuPrefix = "/livekit/sfu"
)

// JWTURL returns this service's public URL.
func (p plan) JWTURL() string {
	if p.SingleHost != "" {
		return "https://" + p.SingleHost + jwtPrefix
	}
	return "https://" + p.JWTHost
}

// SFUURL returns LiveKit's public URL with the scheme https.
func (p plan) SFUURL() string {
	if p.SingleHost != "" {
		return "https://" + p.SingleHost + sfuPrefix
	}
	return "https://" + p.SFUHost
}

// LiveKitURL returns LiveKit's public URL, with the scheme wss, as clients use
// it.
func (p plan) LiveKitURL() string { return "wss" + strings.TrimPrefix(p.SFUURL(), "https") }

// Hosts returns the host names that need DNS records and certificates.
func (p plan) Hosts() []string {
	if p.SingleHost != "" {
		return []string{p.SingleHost}
	}
	return []string{p.JWTHost, p.SFUHost}
}

// Relays reports whether LiveKit offers TURN, over UDP or over TLS.
func (p plan) Relays() bool { return p.TURN || p.TURNTLS != "" }

// MediaHost returns a host name that leads to the machine on which LiveKit
// runs.
func (p plan) MediaHost() string { return cmp.Or(p.SingleHost, p.SFUHost) }

// planner makes a plan from options, and collects what is wrong with them.
// Each fault begins with the flag that it is about.
type planner struct {
	options
	plan
	faults []error
	asking bool // missing options are not faults, because setup will ask a person for them
}

func (b *planner) fault(flag, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	colon := ":"
	if goesOn().MatchString(text) {
		colon = ""
	}
	b.faults = append(b.faults, fmt.Errorf("--%s%s %s", flag, colon, text))
}

// goesOn matches a fault whose text continues a sentence that begins with the
// flag, like "--dir is missing". Then there is no colon after the flag.
var goesOn = pattern.New(`^(is|has|and) `)

func (b *planner) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// newPlan checks all options. It returns the plan, or an error with every
// fault.
func newPlan(o options) (plan, error) { return (&planner{options: o}).check() }

// checkGiven checks only the options that have a value. setup will ask a
// person for the others.
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

// remembered returns the answers that setup stores in the folder. It makes the
// paths of a given certificate and its key absolute.
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

// value parses the text of a required flag. If text is empty, value records the
// fault that the flag is missing. The fault contains the parameter what, which
// describes the flag.
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

// empties records a fault for each flag that was given with an empty value. A
// script passes an empty value if a variable of the script is unset. Such a
// mistake must not switch anything off.
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
			b.fault("single-host", "is one name for this service and LiveKit: leave it out, or leave out --jwt-host and --sfu-host")
		}
		b.SingleHost = value(b, "single-host", b.singleHost, "", parseHost)
		return
	}
	b.JWTHost = value(b, "jwt-host", b.jwtHost, "the name of this service, like jwt.example.org (or --single-host for both)", parseHost)
	b.SFUHost = value(b, "sfu-host", b.sfuHost, "the name of LiveKit, like sfu.example.org (or --single-host for both)", parseHost)
	if b.JWTHost != "" && b.JWTHost == b.SFUHost {
		b.fault("sfu-host", "is the same name as --jwt-host: write two different names, or write the name as --single-host")
	}
	for _, name := range [][2]string{{"jwt-host", b.JWTHost}, {"sfu-host", b.SFUHost}} {
		for _, server := range b.Servers {
			if err := notTheServer(server, name[0], name[1]); err != nil {
				b.fault(name[0], "%v", err)
			}
		}
	}
}

// notTheServer returns an error if host, the host name of a program, is the same as
// the server name. At that name, clients look for the well-known file, but a
// program's host name leads only to the program.
func notTheServer(server matrix.ServerName, flag, host string) error {
	if host == "" || host != strings.ToLower(server.Host()) {
		return nil
	}
	return fmt.Errorf("%s is the server name, which must serve the well-known file: write a name below it, like %s.%[1]s, or use --single-host",
		host, strings.TrimSuffix(flag, "-host"))
}

// appservice checks the URL at which the homeserver reaches this service
// (--appservice-url).
func (b *planner) appservice() {
	switch {
	case !b.appService && b.appServiceURL != "":
		b.fault("appservice-url", "has no effect without --appservice: add that, or leave this option out")
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
			b.fault(flag, "has no effect without --turn-tls: write the host name in the certificate as --turn-tls")
		}
		return
	}
	b.TURNTLS = value(b, "turn-tls", b.turnTLS, "", parseHost)
	for _, host := range b.Hosts() {
		if b.TURNTLS != "" && b.TURNTLS == host {
			b.fault("turn-tls", "port 443 of %s already leads to the reverse proxy: write a host name that only TURN uses, like turn.%s", host, parentOf(b.serverName))
		}
	}
	switch {
	case b.turnCert == "" && b.turnKey == "":
		b.note("--turn-tls without --turn-cert: a proxy in front must end TLS, and pass plain TCP on to port %d", turnTLSPort)
	case b.turnKey == "":
		b.fault("turn-key", "is missing: write the file with the private key of --turn-cert")
	case b.turnCert == "":
		b.fault("turn-cert", "is missing: write the file with the certificate of --turn-key")
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
