package registration

import (
	"cmp"
	"path/filepath"
	"strings"

	"matrixrtc-auth/appservice"
)

// nextSteps tells the operator what to do with the registration file. The order
// of the steps matters: the homeserver must not announce this service to clients
// before this service is ready.
const nextSteps = `Who must read it: the user of Synapse and the user of matrixrtc-auth. Synapse does
not start on a registration file that it cannot read. The file has mode 0640 and was
written as {ids}: give it to a group that both users are in.

1. matrixrtc-auth, in its environment:

  LIVEKIT_HS_SERVER_NAME={server}
  LIVEKIT_AS_REGISTRATION_FILE={file}

   Restart it. It serves old clients as before, and waits for the homeserver.

2. Synapse (1.161 or later), in homeserver.yaml:

  app_service_config_files:
    - {file}
  experimental_features:
    msc4143_enabled: true
    msc4502_enabled: true
    msc4512_enabled: true
  max_event_delay_duration: 24h
  rc_message:
    per_second: 0.5
    burst_count: 30

   Restart it. matrixrtc-auth writes "application service: ready" to its log
   within half a minute, or names the setting that is missing.

3. When it is ready, and not before, announce it to clients in homeserver.yaml, and
   restart Synapse once more:

  matrix_rtc:
    transports:
      - type: livekit
        url: {livekit}
        livekit_service_url: {service}

   Keep both lines: newer clients use url, and Element X does nothing with an entry
   that has no livekit_service_url.
`

// next fills the values of the flags into nextSteps.
func (o options) next(wish appservice.Wish) string {
	file := o.output
	if absolute, err := filepath.Abs(o.output); err == nil {
		file = absolute
	}
	return strings.NewReplacer(
		"{ids}", ids(),
		"{server}", wish.Server.String(),
		"{file}", file,
		"{livekit}", cmp.Or(o.liveKitURL, "wss://sfu."+wish.Server.Host()),
		"{service}", cmp.Or(o.serviceURL, "https://jwt."+wish.Server.Host()),
	).Replace(nextSteps)
}
