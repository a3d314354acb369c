package config

import (
	"strings"

	"matrixrtc-auth/internal/secret"
)

// Requirement says which users must be joined to the Matrix room to get a
// token. It applies to users who prove who they are by an OpenID token.
type Requirement string

// The values of a [Requirement].
const (
	RequireNobody   Requirement = "off"
	RequireLocal    Requirement = "local" // only the users of the operator's homeserver
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
	j.fault(v, "%s is not a value of this variable; write off, local or on", shown(v.get()))
	return RequireNobody
}

// needHomeserver reports a fault about v if there is no homeserver that the
// service can ask who is joined.
func (j *judge) needHomeserver(v value) {
	if j.isRegistered() || j.variable("LIVEKIT_MEMBERSHIP_TOKEN_FILE").isSet() {
		return
	}
	j.fault(v, "%s needs a homeserver that says who is joined: register this service there as an application service, and set LIVEKIT_AS_REGISTRATION_FILE and LIVEKIT_HS_SERVER_NAME; "+
		"or set LIVEKIT_MEMBERSHIP_TOKEN_FILE and LIVEKIT_HS_SERVER_NAME to have an ordinary account of it ask", shown(v.get()))
}

// account parses the user account with which the service asks who is joined. It
// returns nil if there is no such account. An application service needs no
// account, because it may ask about every room of its homeserver.
func (j *judge) account(v value) *Account {
	unknown := j.variable("LIVEKIT_MEMBERSHIP_UNKNOWN")
	switch {
	case j.isRegistered():
		if v.isSet() {
			j.warn(v, Ignored, "this variable is ignored, because as an application service this service already learns who is joined to each room of its homeserver; remove the variable")
		}
		return nil
	case !v.isSet():
		if strings.EqualFold(unknown.get(), allow) {
			j.warn(unknown, Ignored, "this variable is ignored, because LIVEKIT_MEMBERSHIP_TOKEN_FILE is not set")
		}
		return nil
	}
	return &Account{Server: j.ownServer(j.variable("LIVEKIT_HS_SERVER_NAME"), "the account of LIVEKIT_MEMBERSHIP_TOKEN_FILE"), Token: j.accessToken(v)}
}

// accessToken reads the file that v names, which must hold only an access
// token.
func (j *judge) accessToken(v value) secret.Text {
	text, ok := j.readText(v, "the access token of an account")
	if !ok {
		return secret.Text{}
	}
	token := clean(text)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		j.fault(v, "the file holds more than an access token; write only the token, on one line")
		return secret.Text{}
	}
	return secret.New(token)
}

// The values of LIVEKIT_MEMBERSHIP_UNKNOWN.
const (
	deny  = "deny"
	allow = "allow"
)

func (j *judge) allowUnseen(v value) bool {
	switch strings.ToLower(v.get()) {
	case allow:
		return true
	case deny:
		return false
	}
	j.fault(v, "%s is neither deny nor allow; write one of the two", shown(v.get()))
	return false
}

func showUnseen(allowed bool) string {
	if allowed {
		return allow
	}
	return deny
}

// ownMetadata parses whether participants may change their own metadata. If
// they may, LiveKit lets them change their attributes, too. They can then
// remove the ticket, by which the guard recognizes them.
func (j *judge) ownMetadata(v value) bool {
	may := j.boolean(v)
	required, interval := j.variable("LIVEKIT_REQUIRE_MEMBERSHIP"), j.variable("LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS")
	switch {
	case !may:
	case required.isSet() && !strings.EqualFold(required.get(), string(RequireNobody)):
		j.fault(v, "with this setting, participants can remove the ticket by which the service knows them, so the service removes nobody; remove the variable, or %s", required.name)
	case interval.isSet() && strings.Trim(interval.get(), "0") != "":
		j.fault(v, "with this setting, participants can remove the ticket by which the service knows them, so the service removes nobody; remove the variable, or set %s=0", interval.name)
	default:
		j.warn(v, Removable, "participants can remove the ticket by which the service knows them, and so stay on the SFU when they are banned from the Matrix room; remove the variable")
	}
	return may
}
