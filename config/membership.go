package config

import "strings"

// Requirement is who must be joined to the Matrix room when they come with an
// OpenID token.
type Requirement string

// The requirements.
const (
	RequireNobody   Requirement = "off"
	RequireLocal    Requirement = "local" // the users of the application service's homeserver
	RequireEveryone Requirement = "on"
)

func (j *judge) requirement(v value) Requirement {
	r := Requirement(strings.ToLower(v.get()))
	switch r {
	case RequireNobody:
		return r
	case RequireLocal, RequireEveryone:
		j.needHomeserver(v)
		return r
	}
	j.fault(v, "%s is none of off, local and on", shown(v.get()))
	return RequireNobody
}

// needHomeserver faults v if no homeserver says who is joined.
func (j *judge) needHomeserver(v value) {
	for _, name := range []string{"LIVEKIT_AS_REGISTRATION_FILE", "LIVEKIT_AS_TOKEN", "LIVEKIT_HS_TOKEN"} {
		if j.variable(name).isSet() {
			return
		}
	}
	j.fault(v, "%s needs a homeserver that says who is joined: register this service there as an application service, and set LIVEKIT_AS_REGISTRATION_FILE and LIVEKIT_HS_SERVER_NAME", shown(v.get()))
}

// ownMetadata judges whether participants may change their own metadata: their
// attributes then, too, and so take away the ticket by which they are judged.
func (j *judge) ownMetadata(v value) bool {
	may := j.boolean(v)
	required, interval := j.variable("LIVEKIT_REQUIRE_MEMBERSHIP"), j.variable("LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS")
	switch {
	case !may:
	case required.isSet() && !strings.EqualFold(required.get(), string(RequireNobody)):
		j.fault(v, "with it, participants can take away the ticket by which the service knows them, so that nobody is removed; remove it, or %s", required.name)
	case interval.isSet() && strings.Trim(interval.get(), "0") != "":
		j.fault(v, "with it, participants can take away the ticket by which the service knows them, so that nobody is removed; remove it, or set %s=0", interval.name)
	default:
		j.warn(v, Removable, "participants can take away the ticket by which the service knows them, and so stay on the SFU when they are banned from the Matrix room; remove it")
	}
	return may
}
