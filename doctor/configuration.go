package doctor

import (
	"context"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/config"
	"matrixrtc-auth/matrix"
)

// configuration looks at what config knows. Warnings that have a check of
// their own are told there alone.
func (e *exam) configuration() {
	if e.o.Outside {
		return
	}
	e.add(&Check{ID: "config.environment", Run: e.environment})
	e.add(&Check{ID: "config.keys", Run: e.warningsOf("key-lint", "keys and secrets", keyVariables...)})
	e.add(&Check{ID: "config.full_access", Run: e.fullAccess})
	e.add(&Check{ID: "config.sfu_url", Run: e.formerService})
	e.add(&Check{ID: "config.registration", Run: e.registration})
	e.add(&Check{ID: "config.warnings", Run: e.otherWarnings})
}

var (
	keyVariables    = []string{"LIVEKIT_KEY", "LIVEKIT_SECRET", "LIVEKIT_KEY_FROM_FILE", "LIVEKIT_SECRET_FROM_FILE", "LIVEKIT_KEY_FILE"}
	accessVariables = []string{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "LIVEKIT_LOCAL_HOMESERVERS"}
	appVariables    = []string{"LIVEKIT_AS_TOKEN", "LIVEKIT_HS_TOKEN", "LIVEKIT_AS_REGISTRATION_FILE", "LIVEKIT_HS_SERVER_NAME"}
	sfuVariables    = []string{"LIVEKIT_URL", "LIVEKIT_INTERNAL_URL"}
)

func (e *exam) environment(context.Context) Finding {
	if e.look.Fault == nil {
		return ok("the service would start with it")
	}
	return found("config-refused", nil, "%s", strings.ReplaceAll(e.look.Fault.Error(), "\n", "; "))
}

// refuses reports whether the service does not start because of a variable.
func (l *Look) refuses(variable string) bool {
	if l.Fault == nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(l.Fault.Error(), "\n"), func(line string) bool {
		return strings.HasPrefix(line, variable+":")
	})
}

// warnings returns those about one of the variables.
func (e *exam) warnings(variables ...string) []string {
	var list []string
	for _, warning := range e.look.Warnings {
		if name, _, _ := strings.Cut(warning, ":"); slices.Contains(variables, name) {
			list = append(list, warning)
		}
	}
	return list
}

// warningsOf finds cause where there is a warning about the variables.
func (e *exam) warningsOf(cause, what string, variables ...string) func(context.Context) Finding {
	return func(context.Context) Finding {
		if list := e.warnings(variables...); len(list) > 0 {
			return found(cause, nil, "%s", strings.Join(list, "; "))
		}
		return ok("nothing to say about %s", what)
	}
}

func (e *exam) otherWarnings(context.Context) Finding {
	var list []string
	for _, warning := range e.look.Warnings {
		name, _, _ := strings.Cut(warning, ":")
		if !slices.Contains(slices.Concat(keyVariables, accessVariables, appVariables, sfuVariables), name) {
			list = append(list, warning)
		}
	}
	if len(list) > 0 {
		return found("config-doubtful", nil, "%s", strings.Join(list, "; "))
	}
	return ok("none")
}

// fullAccess looks whether the list holds server names, and the servers that
// are looked at.
func (e *exam) fullAccess(context.Context) Finding {
	list := e.look.Config.FullAccess
	w := e.warnings(accessVariables...)
	if slices.ContainsFunc(w, noServerName) {
		return found("full-access-entry", nil, "%s", strings.Join(w, "; "))
	}
	own := slices.Clone(e.o.Servers)
	if as := e.look.Config.AppService; as != nil {
		own = append(own, as.Server)
	}
	for _, name := range own {
		if !list.Contains(name) && e.look.Fault == nil {
			return found("own-server-missing", vars{"server": name.String(), "list": with(list, name)}, "%s is not in the list: %s", name, list)
		}
	}
	if list.Everyone {
		return found("full-access-everyone", nil, "the list is *")
	}
	if len(w) > 0 {
		return found("full-access-doubtful", nil, "%s", strings.Join(w, "; "))
	}
	return ok("%s", list)
}

// with is what the variable takes for a list and one more. Of a list that is too
// long for a remedy the beginning is left out.
func with(list config.ServerList, name matrix.ServerName) string {
	if len(list.Servers) == 0 {
		return name.String()
	}
	if whole := list.String() + "," + name.String(); clip(whole) == whole {
		return whole
	}
	return "…," + name.String()
}

// noServerName reports whether a warning of config says that an entry cannot be
// a server name; other ones, a port or capital letters, may be meant so.
func noServerName(warning string) bool { return strings.Contains(warning, "cannot be a server name") }

// formerPublicService is Element's own authorization service, closed to other
// homeservers since May 2025.
const formerPublicService = "livekit-jwt.call.matrix.org"

func (e *exam) formerService(context.Context) Finding {
	c := e.look.Config
	api := ""
	if c.APIURL != nil {
		api = c.APIURL.Host
	}
	for _, text := range []string{c.LivekitURL, api, strings.Join(e.warnings(sfuVariables...), " ")} {
		if strings.Contains(strings.ToLower(text), formerPublicService) {
			return found("former-service", nil, "LIVEKIT_URL leads to %s", formerPublicService)
		}
	}
	if w := e.warnings(sfuVariables...); len(w) > 0 {
		return found("sfu-url-doubtful", nil, "%s", strings.Join(w, "; "))
	}
	if c.LivekitURL == "" || slices.ContainsFunc(sfuVariables, e.look.refuses) {
		return na("there is no LIVEKIT_URL that can be used; config.environment says why")
	}
	return ok("clients get %s, this service calls %s", c.LivekitURL, c.APIURL)
}

// What Synapse reads of a registration (MSC4502, MSC4512).
const (
	scopesKey = "io.element.msc4502.scopes"
	scope     = "urn:matrix:client:io.element.msc4502:rooms:is_joined"
	prefixKey = "io.element.msc4512.proxy_prefix"
	proxyKey  = "io.element.msc4512.proxy_url"
)

// registration lints the application service's registration file as Synapse
// reads it.
func (e *exam) registration(context.Context) Finding {
	file := e.look.Config.File("LIVEKIT_AS_REGISTRATION_FILE")
	if file == "" {
		return na("there is no registration file")
	}
	w := e.warnings(appVariables...)
	text, err := e.look.ReadFile(file)
	if err != nil {
		return na("the registration file cannot be read")
	}
	var document map[string]any
	if yaml.Unmarshal(text, &document) != nil {
		return found("registration", nil, "the file is not a mapping in YAML")
	}
	if fault := lintRegistration(document); fault != "" {
		return found("registration", nil, "%s", fault)
	}
	if len(w) > 0 {
		return found("config-doubtful", nil, "%s", strings.Join(w, "; "))
	}
	return ok("Synapse can read it")
}

// lintRegistration returns what is wrong with a registration, "" for nothing.
func lintRegistration(document map[string]any) string {
	for _, key := range []string{"id", "as_token", "hs_token", "sender_localpart", "namespaces"} {
		if document[key] == nil {
			return "the key " + key + " is missing"
		}
	}
	if _, there := document["url"]; !there {
		return "the key url is missing: without one Synapse does not start; write url: null"
	}
	scopes, _ := document[scopesKey].([]any)
	for _, s := range scopes {
		if s != scope {
			return scopesKey + " holds another scope than " + scope + ": Synapse does not start"
		}
	}
	prefix, _ := document[prefixKey].(string)
	proxy, _ := document[proxyKey].(string)
	switch {
	case len(scopes) == 0:
		return "the key " + scopesKey + " is missing (without its prefix Synapse does not read it)"
	case prefix != "rtc/livekit" && !strings.HasPrefix(prefix, "rtc/livekit/"):
		return prefixKey + " is not rtc/livekit: Synapse does not start"
	case proxy == "":
		return proxyKey + " is missing: Synapse does not start"
	}
	return ""
}
