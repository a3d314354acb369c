package config

import (
	"os"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// appService parses the variables of the application service: the server name,
// and either the registration file or both tokens. It returns nil if neither
// the file nor a token is set. In that case the server name may still be set,
// for LIVEKIT_MEMBERSHIP_TOKEN_FILE.
func (j *judge) appService() *AppService {
	asToken, hsToken := j.variable("LIVEKIT_AS_TOKEN"), j.variable("LIVEKIT_HS_TOKEN")
	file, server := j.variable("LIVEKIT_AS_REGISTRATION_FILE"), j.variable("LIVEKIT_HS_SERVER_NAME")
	if !j.isRegistered() {
		if account := j.variable("LIVEKIT_MEMBERSHIP_TOKEN_FILE"); server.isSet() && !account.isSet() {
			j.missing(": LIVEKIT_HS_SERVER_NAME is set; write the registration file, or set LIVEKIT_AS_TOKEN and LIVEKIT_HS_TOKEN, or an account's LIVEKIT_MEMBERSHIP_TOKEN_FILE", file, asToken, hsToken, account)
		}
		return nil
	}
	as := &AppService{ASToken: asToken.text, HSToken: hsToken.text, Server: j.ownServer(server, "an application service")}
	if file.isSet() {
		j.ignore(file, asToken, hsToken)
		j.registration(file, as)
		return as
	}
	j.needToken(asToken)
	j.needToken(hsToken)
	j.checkToken(asToken, as.ASToken)
	j.checkToken(hsToken, as.HSToken)
	if hsToken.isSet() && as.HSToken.Equal(as.ASToken) {
		j.warn(hsToken, WeakSecret, "the token equals LIVEKIT_AS_TOKEN: whoever learns it can act as the service and as the homeserver; make two different tokens with `matrixrtc-auth registration`")
	}
	return as
}

// isRegistered reports whether one of the variables with the registration's
// tokens is set.
func (j *judge) isRegistered() bool {
	for _, name := range []string{"LIVEKIT_AS_REGISTRATION_FILE", "LIVEKIT_AS_TOKEN", "LIVEKIT_HS_TOKEN"} {
		if j.variable(name).isSet() {
			return true
		}
	}
	return false
}

// ownServer parses v, the name of the operator's homeserver. If v is unset,
// ownServer reports a fault. The fault contains the parameter who, which says
// what needs the homeserver.
func (j *judge) ownServer(v value, who string) matrix.ServerName {
	server, err := matrix.ParseServerName(v.get())
	switch {
	case !v.isSet():
		j.missing(": "+who+" needs the name of its homeserver; "+whatAServerNameIs, v)
	case err != nil:
		j.fault(v, "%s cannot be a server name: %s", shown(v.get()), whatAServerNameIs)
	default:
		j.doubt(v, server)
	}
	return server
}

func (j *judge) needToken(v value) {
	if !v.isSet() {
		j.missing(": an application service needs LIVEKIT_AS_TOKEN and LIVEKIT_HS_TOKEN, or LIVEKIT_AS_REGISTRATION_FILE", v)
	}
}

func (j *judge) checkToken(v value, token secret.Text) {
	if !token.IsEmpty() {
		j.checkSecret(v, token)
	}
}

// registration reads the registration file, and sets the fields of an
// AppService. Some mistakes in the file disturb only the homeserver. They are
// warnings and not faults, because the service can still serve the clients that
// send their requests directly.
func (j *judge) registration(v value, as *AppService) {
	text, ok := j.readText(v, "the registration that the homeserver reads")
	if !ok {
		return
	}
	r, err := appservice.Parse([]byte(text))
	switch {
	case err != nil:
		j.fault(v, "the file cannot be used: %v", err)
		return
	case r.ASToken.IsEmpty() || r.HSToken.IsEmpty():
		j.fault(v, "the file lacks as_token or hs_token; name the registration file that the homeserver reads")
		return
	}
	as.ASToken, as.HSToken = r.ASToken, r.HSToken
	if r.URL != "" {
		as.PushID = r.ID
	}
	for _, finding := range r.Lint(as.Server) {
		j.warn(v, Registration, "%s", finding)
	}
}

// lintMode returns a warning if every user of the machine can read the
// registration file.
func lintMode(c Config) []Warning {
	const name = "LIVEKIT_AS_REGISTRATION_FILE"
	info, err := os.Stat(c.File(name))
	if c.File(name) == "" || err != nil {
		return nil
	}
	var warnings []Warning
	for _, finding := range appservice.LintMode(info.Mode()) {
		warnings = append(warnings, Warning{name, Registration, finding.String()})
	}
	return warnings
}

// sfuURLs parses a list of the SFU's public URLs.
func (j *judge) sfuURLs(v value) []string {
	var list []string
	for _, entry := range split(v.get()) {
		u, err := parseURL(entry, "wss", "ws", "https", "http")
		if err != nil {
			j.fault(v, "%s %v; write addresses of the SFU, like wss://sfu.example.org", shown(entry), err)
			continue
		}
		j.sfuPath(v, u, clientForm)
		list = append(list, entry)
	}
	return list
}
