package setup

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// options are the flags as they were typed.
type options struct {
	serverName, jwtHost, sfuHost, singleHost string
	baseURL, homeserverURL                   string
	dir, image, source                       string
	udpRange, jwtPort                        string
	turn, turnGiven                          bool // turnGiven: somebody has said yes or no
	turnTLS, turnCert, turnKey               string
	appService                               bool
	appServiceURL                            string
	force, newSecrets                        bool
}

const (
	presetRange = "20000-20200"
	presetPort  = "8080"
)

const usage = `Usage: matrixrtc-auth setup [flags]

Writes a deployment into a folder: compose.yaml, livekit.yaml, .env, and what the
homeserver, the reverse proxy and the router need. At a terminal it asks for what
is missing. A second run keeps secrets, and files that were edited.

Where:
  --dir DIR               the folder to write into; made if it is not there
  --force                 replace edited files, too (the old one becomes NAME.bak)
  --new-secrets           draw a new key secret, and new tokens of --appservice

Names:
  --server-name NAME      example.org in @alice:example.org
  --jwt-host NAME         the name of this service, like jwt.example.org
  --sfu-host NAME         the name of LiveKit, like sfu.example.org
  --single-host NAME      one name for both, with the path prefixes /livekit/jwt
                          and /livekit/sfu, instead of the two above
  --base-url URL          where clients reach the homeserver; the default is
                          https:// and the single host, or else the server name
  --homeserver-url URL    where the container reaches the homeserver, if not under
                          its public name, like http://host.docker.internal:8008

Newer clients:
  --appservice            the application-service mode: they ask the homeserver,
                          which passes their requests on (Synapse 1.161 or later)
  --appservice-url URL    where the homeserver reaches this service, if not under
                          its public name, like http://matrixrtc-auth:8080

Ports:
  --udp-range FIRST-LAST  UDP ports of media (20000-20200)
  --jwt-port PORT         where the reverse proxy reaches this service (8080)
  --turn                  TURN over UDP, port 3478
  --turn-tls NAME         TURN over TLS, under a name whose port 443 reaches port
                          5349 here: a second address, or a proxy that splits by
                          name (SNI). DSM's proxy cannot
  --turn-cert FILE        its certificate, which is copied; without it the proxy
                          in front ends TLS
  --turn-key FILE         its private key, which is copied

Image:
  --image REF             use this image
  --source DIR            build from this source
`

func printUsage(w io.Writer) { io.WriteString(w, usage) }

// parse reads flags. It returns flag.ErrHelp when help is asked for.
func parse(args []string) (options, error) {
	var o options
	set := flag.NewFlagSet("setup", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for name, target := range map[string]*string{
		"server-name": &o.serverName, "jwt-host": &o.jwtHost, "sfu-host": &o.sfuHost, "single-host": &o.singleHost,
		"base-url": &o.baseURL, "homeserver-url": &o.homeserverURL,
		"dir": &o.dir, "image": &o.image, "source": &o.source,
		"appservice-url": &o.appServiceURL,
		"turn-tls":       &o.turnTLS, "turn-cert": &o.turnCert, "turn-key": &o.turnKey,
	} {
		set.StringVar(target, name, "", "")
	}
	set.StringVar(&o.udpRange, "udp-range", presetRange, "")
	set.StringVar(&o.jwtPort, "jwt-port", presetPort, "")
	set.BoolVar(&o.turn, "turn", false, "")
	set.BoolVar(&o.appService, "appservice", false, "")
	set.BoolVar(&o.force, "force", false, "")
	set.BoolVar(&o.newSecrets, "new-secrets", false, "")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	set.Visit(func(f *flag.Flag) { o.turnGiven = o.turnGiven || f.Name == "turn" })
	if set.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag: every value has one in front", strings.Join(set.Args(), " "))
	}
	return o, nil
}
