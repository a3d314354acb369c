package config

import (
	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// appService judges the application-service variables: all of them or none.
func (j *judge) appService() *AppService {
	asToken, hsToken := j.variable("LIVEKIT_AS_TOKEN"), j.variable("LIVEKIT_HS_TOKEN")
	file, server := j.variable("LIVEKIT_AS_REGISTRATION_FILE"), j.variable("LIVEKIT_HS_SERVER_NAME")
	if !file.isSet() && !asToken.isSet() && !hsToken.isSet() && !server.isSet() {
		return nil
	}
	as := &AppService{ASToken: asToken.text, HSToken: hsToken.text, Server: j.ownServer(server)}
	if file.isSet() {
		j.ignore(file, asToken, hsToken)
		as.ASToken, as.HSToken = j.registration(file)
		asToken, hsToken = file, file
	} else {
		j.needToken(asToken)
		j.needToken(hsToken)
	}
	j.checkToken(asToken, as.ASToken)
	j.checkToken(hsToken, as.HSToken)
	j.warn(server, Ignored, "this version does not serve the application service's endpoints yet; clients use the others")
	return as
}

func (j *judge) ownServer(v value) matrix.ServerName {
	server, err := matrix.ParseServerName(v.get())
	switch {
	case !v.isSet():
		j.missing(": an application service needs the name of its homeserver; "+whatAServerNameIs, v)
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

func (j *judge) registration(v value) (asToken, hsToken secret.Text) {
	text, ok := j.readText(v, "the registration that the homeserver reads")
	if !ok {
		return secret.Text{}, secret.Text{}
	}
	var file struct {
		ASToken string `yaml:"as_token"`
		HSToken string `yaml:"hs_token"`
	}
	switch err := yaml.Unmarshal([]byte(text), &file); {
	case err != nil: // not repeated: it quotes the file
		j.fault(v, "the file that it names is not a registration in YAML")
	case clean(file.ASToken) == "" || clean(file.HSToken) == "":
		j.fault(v, "the file that it names lacks as_token or hs_token; name the registration file that the homeserver reads")
	}
	return secret.New(clean(file.ASToken)), secret.New(clean(file.HSToken))
}
