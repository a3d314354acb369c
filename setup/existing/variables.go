package existing

import (
	"net/url"
	"strings"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/pattern"
)

// settled has the variables that setup does not take over, because setup's
// answers or compose.yaml set them. The map's value is the reason that the
// finding about the variable gives. If the value is "", there is no finding.
var settled = map[string]string{
	"LIVEKIT_URL": "", "LIVEKIT_KEY": "", "LIVEKIT_SECRET": "", "LIVEKIT_KEY_FROM_FILE": "", "LIVEKIT_SECRET_FROM_FILE": "", "LIVEKIT_KEY_FILE": "",
	"LIVEKIT_FULL_ACCESS_HOMESERVERS": "", "LIVEKIT_LOCAL_HOMESERVERS": "",
	"LIVEKIT_JWT_BIND": "", "LIVEKIT_JWT_PORT": "", "LK_JWT_PORT": "",
	"LIVEKIT_FEDERATION_URL_OVERRIDES": "", "LIVEKIT_CS_API_URL_OVERRIDES": "",
	"LIVEKIT_AS_TOKEN": "", "LIVEKIT_HS_TOKEN": "", "LIVEKIT_AS_REGISTRATION_FILE": "", "LIVEKIT_HS_SERVER_NAME": "",
	"LIVEKIT_INTERNAL_URL":   "compose.yaml leads the service to http://livekit:7880 directly.",
	"LIVEKIT_CLIENT_ADDRESS": "", "LIVEKIT_STORE": "compose.yaml keeps leaves in a volume, unless LIVEKIT_REDIS_URL is set.",
}

// oneLine matches values that .env, Compose and this package read alike.
var oneLine = pattern.New(`^[A-Za-z0-9!%&()*+,./:;<=>?@^_{|}~\[\]-]+$`)

// variables takes over the service's variables, except those in the map settled,
// which setup or compose.yaml sets.
func (j *judge) variables() {
	if j.service == nil {
		return
	}
	ours := map[string]config.Variable{}
	for _, v := range config.Variables() {
		ours[v.Name] = v
	}
	for _, v := range j.service.environment {
		why, isSettled := settled[v.Name]
		_, isOurs := ours[v.Name]
		switch {
		case v.Value.IsEmpty():
		case isSettled && why != "":
			j.find(Finding{Verb: Drop, What: v.Name, Place: v.Place, Why: why})
		case isSettled:
		case isOurs:
			j.keep(v, ours[v.Name])
		case j.of != nil || strings.HasPrefix(v.Name, "LIVEKIT_"): // without a compose file, an env file may contain other programs' variables
			j.foreign(v)
		}
	}
}

// keep takes a variable over as a line of .env. If setup cannot write the
// variable's value, keep adds a finding instead.
func (j *judge) keep(v Variable, ours config.Variable) {
	if !oneLine().MatchString(strings.TrimSpace(v.Value.Reveal())) {
		j.find(Finding{Verb: Add, What: v.Name + " to .env", Place: v.Place,
			Why: "Its value has blanks or quotation marks, and setup does not copy such values.", Check: "`docker compose exec matrixrtc-auth /matrixrtc-auth config` shows it."})
		return
	}
	j.Variables = append(j.Variables, v)
	if host := besides(v.Value.Reveal()); host != "" {
		j.find(Finding{Verb: Add, What: "a network in which " + host + " is", Place: v.Place,
			Why:   v.Name + " names that container, but the new service is not in its network. Add that network to compose.override.yaml (`docker network ls` lists it), or remove the variable.",
			Lines: []string{"services:", "  matrixrtc-auth:", "    networks: [default, old]", "networks:", "  old: {name: NAME, external: true}"},
			Check: "`docker compose logs matrixrtc-auth` names no address that it cannot reach."})
	}
	if ours.Form == config.FormPath {
		j.find(Finding{Verb: Add, What: "the mount of the file that " + v.Name + " names", Place: v.Place,
			Why:   "The variable is in .env now, but the file is not in the new container. Mount the file in compose.override.yaml, or remove the variable.",
			Check: "`docker compose logs matrixrtc-auth` names no file that it cannot read."})
	}
}

// besides returns the host of a URL if this host is the name of a container: a
// name without a dot. It returns "" for any other text.
func besides(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" && !strings.ContainsAny(u.Hostname(), ".:") && u.Hostname() != "localhost" {
		return u.Hostname()
	}
	return ""
}

// foreign adds a finding about a variable that this program does not know.
func (j *judge) foreign(v Variable) {
	switch {
	case strings.HasSuffix(strings.ToUpper(v.Name), "_PROXY"):
		j.find(Finding{Verb: Drop, What: v.Name, Place: v.Place, Why: "The service ignores proxy variables, and connects directly."})
	case v.Name == "LIVEKIT_API_KEY" || v.Name == "LIVEKIT_API_SECRET" || strings.HasPrefix(v.Name, "LIVEKIT_KEYS"):
	case strings.HasPrefix(v.Name, "LIVEKIT_") || strings.HasPrefix(v.Name, "LK_"):
		j.find(Finding{Verb: Drop, What: v.Name, Place: v.Place, Why: "This program has no such variable; docs/variables.md lists all."})
	}
}

// mode takes over the application-service mode if the old deployment used it.
func (j *judge) mode() {
	name, named := j.service.variable("LIVEKIT_HS_SERVER_NAME")
	_, byFile := j.service.variable("LIVEKIT_AS_REGISTRATION_FILE")
	token, byToken := j.service.variable("LIVEKIT_AS_TOKEN")
	if !named || !byFile && !byToken {
		return
	}
	j.say("appservice", "true", name.Place)
	if len(j.registration) > 0 {
		j.Registration = j.registration[0]
		return
	}
	at := name.Place
	if byToken {
		at = token.Place
	}
	j.find(Finding{Verb: Change, What: "the registration of the application service", Place: at,
		Why:   "setup has not read the registration file, and made new tokens. To keep the old tokens, run setup again with that file in --from. Otherwise copy the new file to the homeserver.",
		Check: "`docker compose logs matrixrtc-auth` says \"application service: ready\"."})
}
