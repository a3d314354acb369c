package setup

import "matrixrtc-auth/internal/command"

// options are the values of the command line's flags, and what setup learns
// from files and answers.
type options struct {
	serverName, jwtHost, sfuHost, singleHost string
	baseURL, homeserverURL                   string
	homeserverNetwork                        string
	dir, image, source, imageArch            string
	from                                     string // the value of --from: paths separated by commas
	udpRange, relayRange, jwtPort            string
	turn                                     bool
	turnTLS, turnCert, turnKey               string
	appService, serverBlock                  bool
	appServiceURL                            string
	force, newSecrets, yes                   bool

	given       map[string]bool // the options that the command line sets, by name
	recalled    map[string]bool // the options whose value comes from the folder, by name
	switchedOff map[string]bool // the options to which the operator gave the value none, by name
	memory      memory          // the answers of earlier runs, from the folder
	over        *takeover       // what setup takes over from the files of --from; nil without --from

	apply func(*update) error // writes the files; tests set another function
}

// The ports that setup chooses if no flag names others. With --from, makeRoom moves
// the relay's ports if they overlap the media ports of the older deployment.
const (
	presetRange = "20000-20200" // LiveKit's media
	presetRelay = "20201-20300" // TURN's relay, for --turn and --turn-tls
	presetPort  = "8080"        // this service
)

const about = `Writes a deployment into a folder: compose.yaml, livekit.yaml, .env, and what the
homeserver, the reverse proxy and the router need. At a terminal it asks for what
is missing. The folder remembers the answers: later, setup --dir DIR shows them and
asks what to change, and an option changes its answer alone. --NAME none, or
--NAME=false, switches off. Secrets, and files that were edited, stay.`

// presets returns the options with their defaults.
func presets() options {
	return options{
		apply: (*update).apply, udpRange: presetRange, relayRange: presetRelay, jwtPort: presetPort,
		given: map[string]bool{}, recalled: map[string]bool{}, switchedOff: map[string]bool{},
	}
}

// flags returns the flags of the command line. They set the fields of o.
func (o *options) flags() *command.Flags {
	var flags command.Flags
	o.whereFlags(flags.Group("Where"))
	o.nameFlags(flags.Group("Names"))
	o.clientFlags(flags.Group("Newer clients"))
	o.portFlags(flags.Group("Ports"))
	o.imageFlags(flags.Group("Image"))
	return &flags
}

func (o *options) whereFlags(g *command.Group) {
	g.Text(&o.dir, "dir", "DIR", "the folder to write into; made if it is not there")
	g.Texts(&o.from, "from", "FILE", "take key, secret, ports and names over from a deployment that is there: its folder, or livekit.yaml, compose file, env file, homeserver.yaml, well-known file, with commas or given again; they are only read")
	g.Switch(&o.yes, "yes", "ask nothing; write the files with the answers as they are")
	g.Switch(&o.force, "force", "replace edited files, too (the old one becomes NAME.bak)")
	g.Switch(&o.newSecrets, "new-secrets", "draw a new key secret, and new tokens of --appservice")
}

func (o *options) nameFlags(g *command.Group) {
	g.Texts(&o.serverName, "server-name", "NAME", "example.org in @alice:example.org; with commas, or given again, several of your homeservers")
	g.Text(&o.jwtHost, "jwt-host", "NAME", "the name of this service, like jwt.example.org")
	g.Text(&o.sfuHost, "sfu-host", "NAME", "the name of LiveKit, like sfu.example.org")
	g.Text(&o.singleHost, "single-host", "NAME",
		"one name for both, with the path prefixes /livekit/jwt and /livekit/sfu, instead of the two above")
	g.Switch(&o.serverBlock, "server-block",
		"with --single-host: have nginx.conf.example and Caddyfile.example hold a whole server block, not what goes into the one that the name has")
	g.Text(&o.baseURL, "base-url", "URL",
		"where clients reach the homeserver; the default is https:// and the single host, or else the server name; of several servers NAME=URL,NAME=URL")
	g.Text(&o.homeserverURL, "homeserver-url", "URL",
		"where the container reaches the homeserver, if not under its public name, like http://host.docker.internal:8008; of several NAME=URL,NAME=URL")
	g.Text(&o.homeserverNetwork, "homeserver-network", "NAME",
		"the network of the homeserver's containers on this machine, which this service joins: docker network ls lists them")
}

func (o *options) clientFlags(g *command.Group) {
	g.Switch(&o.appService, "appservice",
		"the application-service mode: they ask the homeserver, which passes their requests on (Synapse 1.161 or later)")
	g.Text(&o.appServiceURL, "appservice-url", "URL",
		"where the homeserver reaches this service, if not under its public name, like http://matrixrtc-auth:8080")
}

func (o *options) portFlags(g *command.Group) {
	g.Text(&o.udpRange, "udp-range", "FIRST-LAST", "UDP ports of media (20000-20200)")
	g.Text(&o.jwtPort, "jwt-port", "PORT", "where the reverse proxy reaches this service (8080)")
	g.Switch(&o.turn, "turn", "TURN over UDP, port 3478")
	g.Text(&o.relayRange, "relay-range", "FIRST-LAST", "UDP ports of TURN's relay, over UDP and TLS (20201-20300)")
	g.Text(&o.turnTLS, "turn-tls", "NAME",
		"TURN over TLS, under a name whose port 443 reaches port 5349 here: a second address, or a proxy that splits by name (SNI). DSM's proxy cannot")
	g.Text(&o.turnCert, "turn-cert", "FILE", "its certificate, which is copied; without it the proxy in front ends TLS")
	g.Text(&o.turnKey, "turn-key", "FILE", "its private key, which is copied")
}

func (o *options) imageFlags(g *command.Group) {
	g.Text(&o.imageArch, "image-arch", "ARCH",
		"write the image into the folder, as a file to load, for this processor: amd64, arm64 or armv7; it takes Go and this program's source. none: ask nobody")
	g.Text(&o.image, "image", "REF", "use this image")
	g.Text(&o.source, "source", "DIR", "build from this source")
}
