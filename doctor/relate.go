package doctor

import "slices"

// excuses says whose faults show in which other checks, so that a cause is told
// once, by the check that found it.
var excuses = map[string][]string{
	"service.status":              {"config.environment"},
	"public.healthz":              {"service.status"},
	"public.preflight":            {"public.cors"},
	"homeserver.userinfo":         {"homeserver.addresses", "homeserver.tls"},
	"sfu.api":                     {"config.sfu_url", "livekit.file", "livekit.keys", "livekit.ports", "livekit.turn", "livekit.external_ip"},
	"sfu.auto_create":             {"livekit.auto_create"},
	"sfu.addresses":               {"config.sfu_url"},
	"sfu.tls":                     {"config.sfu_url"},
	"sfu.websocket":               {"config.sfu_url", "sfu.api"},
	"sfu.ice_tcp":                 {"livekit.ports", "sfu.candidates"},
	"sfu.turn":                    {"livekit.turn"},
	"webhook.round_trip":          {"livekit.webhook", "livekit.keys"},
	"homeserver.delayed_schedule": {"homeserver.transports"},
	"user.openid":                 {"homeserver.transports"},
	"user.sfu_get":                {"config.sfu_url", "homeserver.userinfo", "sfu.api", "sfu.room"},
	"user.get_token":              {"config.sfu_url", "homeserver.userinfo", "sfu.api", "sfu.room", "user.sfu_get"},
	"user.join":                   {"sfu.join"},
}

// twins look at the same place where one host serves several things.
var twins = map[string][]string{
	"public.addresses": {"homeserver.addresses"},
	"public.tls":       {"homeserver.tls"},
	"sfu.addresses":    {"homeserver.addresses", "public.addresses"},
	"sfu.tls":          {"homeserver.tls", "public.tls"},
}

// relate tells the checks about each other.
func (e *exam) relate() {
	for _, c := range e.checks {
		c.Excuses = e.named(excuses[c.ID], c.Server)
		c.Twins = e.named(twins[c.ID], c.Server)
	}
}

// named returns the checks of these ids, of one server or of none.
func (e *exam) named(ids []string, server string) []*Check {
	var list []*Check
	for _, c := range e.checks {
		if slices.Contains(ids, c.ID) && (server == "" || c.Server == "" || c.Server == server) {
			list = append(list, c)
		}
	}
	return list
}
