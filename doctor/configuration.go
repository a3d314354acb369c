package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/matrix"
)

// settings has the checks of the environment variables. Exactly one check
// reports each warning of package config; teller says which one.
type settings struct{ *exam }

func (e settings) steps() []engine.Step {
	return []engine.Step{
		{ID: "config.environment", Run: e.environment},
		{ID: "config.keys", Run: e.judgeKeys},
		{ID: "config.full_access", Run: e.fullAccess},
		{ID: "config.sfu_url", Run: e.sfuURLs},
		{ID: "config.registration", Run: e.registration},
		{ID: "config.own_metadata", Run: e.ownMetadata},
		{ID: "config.warnings", Run: e.otherWarnings},
	}
}

// teller returns the id of the check that reports package config's warnings
// about a variable.
func teller(variable string) string {
	switch variable {
	case "LIVEKIT_FULL_ACCESS_HOMESERVERS", "LIVEKIT_LOCAL_HOMESERVERS":
		return "config.full_access"
	case "LIVEKIT_CAN_UPDATE_OWN_METADATA":
		return "config.own_metadata"
	}
	switch config.GroupOf(variable) {
	case config.GroupKeys:
		return "config.keys"
	case config.GroupSFU:
		return "config.sfu_url"
	case config.GroupAppService:
		return "config.registration"
	}
	return "config.warnings"
}

// warnings are warnings of package config.
type warnings []config.Warning

// String returns the warnings on one line.
func (w warnings) String() string {
	lines := make([]string, len(w))
	for i, warning := range w {
		lines[i] = warning.String()
	}
	return strings.Join(lines, "; ")
}

func (w warnings) has(kind config.Kind) bool {
	return slices.ContainsFunc(w, func(warning config.Warning) bool { return warning.Kind == kind })
}

func (w warnings) without(kind config.Kind) warnings {
	return slices.DeleteFunc(slices.Clone(w), func(warning config.Warning) bool { return warning.Kind == kind })
}

// warningsFor returns the warnings that the check with this id reports. It
// leaves out warnings about the listening address, because other checks find
// out whether the service can be reached.
func (e settings) warningsFor(check string) warnings {
	var list warnings
	for _, warning := range e.look.Warnings {
		if teller(warning.Variable) == check && warning.Kind != config.ContainerAlone {
			list = append(list, warning)
		}
	}
	return list
}

func (e settings) environment(context.Context) engine.Finding {
	if e.look.Fault == nil {
		return ok("the service starts with this environment")
	}
	return found("config-refused", nil, "%s", strings.ReplaceAll(e.look.Fault.Error(), "\n", "; "))
}

// refuses reports whether the value of this variable keeps the service from
// starting.
func (l *Look) refuses(variable string) bool {
	return slices.ContainsFunc(config.Faults(l.Fault), func(f config.Fault) bool { return f.Variable == variable })
}

// warns reports whether package config gave a warning of that kind.
func (l *Look) warns(kind config.Kind) bool { return warnings(l.Warnings).has(kind) }

func (e settings) judgeKeys(context.Context) engine.Finding {
	if w := e.warningsFor("config.keys"); len(w) > 0 {
		return found("key-lint", nil, "%s", w)
	}
	return ok("no fault in the keys and secrets")
}

func (e settings) otherWarnings(context.Context) engine.Finding {
	switch w := e.warningsFor("config.warnings"); {
	case w.has(config.AddedPath):
		return found("override-path", nil, "%s", w)
	case len(w) > 0:
		return found("config-doubtful", nil, "%s", w)
	}
	return ok("none")
}

// fullAccess checks that LIVEKIT_FULL_ACCESS_HOMESERVERS holds server names. It
// returns a fault if the list lacks a server under test, or the server of
// --user. It warns if the list is *.
func (e settings) fullAccess(context.Context) engine.Finding {
	list := e.look.Config.FullAccess
	w := e.warningsFor("config.full_access")
	if w.has(config.NotServerName) { // other warnings, like the one about a port in a name, are no fault
		return found("full-access-entry", nil, "%s", w)
	}
	own := slices.Clone(e.o.Servers)
	if as := e.look.Config.AppService; as != nil {
		own = append(own, as.Server)
	}
	for _, name := range own {
		if !list.Contains(name) && e.look.Fault == nil {
			return found("own-server-missing", engine.Vars{"server": name.String(), "list": with(list, name)}, "%s is not in the list: %s", name, list)
		}
	}
	if len(list.Servers) == 0 && !list.Everyone {
		return na("the configuration names no server whose users may create rooms")
	}
	if list.Everyone {
		return found("full-access-everyone", nil, "the list is *")
	}
	if len(w) > 0 {
		return found("full-access-doubtful", nil, "%s", w)
	}
	return ok("%s", list)
}

// with returns the value of LIVEKIT_FULL_ACCESS_HOMESERVERS with one more name,
// for a remedy. If the whole value is too long for a remedy, it returns only
// the new name after an ellipsis.
func with(list config.ServerList, name matrix.ServerName) string {
	if len(list.Servers) == 0 {
		return name.String()
	}
	if whole := list.String() + "," + name.String(); clip(whole) == whole {
		return whole
	}
	return "…," + name.String()
}

// registration checks the registration file of the application service, as
// Synapse reads it. It returns a fault if Synapse refuses the file. It warns if
// every user of the machine may read the file.
func (e settings) registration(context.Context) engine.Finding {
	file := e.look.Config.File("LIVEKIT_AS_REGISTRATION_FILE")
	w := e.warningsFor("config.registration")
	if file == "" && len(w) > 0 {
		return found("config-doubtful", nil, "%s", w)
	}
	if file == "" {
		return na("there is no registration file")
	}
	text, err := e.look.ReadFile(file)
	if err != nil {
		return na("the registration file cannot be read")
	}
	r, err := appservice.Parse(text)
	if err != nil {
		return found("registration", nil, "the file cannot be used: %v", err)
	}
	if f := judgeRegistration(r, e.look.Config.AppService, w); f.Status != engine.OK {
		return f
	}
	if info, err := e.look.Stat(file); err == nil && info.Mode()&openToOthers != 0 {
		return found("registration-open", engine.Vars{"file": clip(file), "group": fmt.Sprint(e.look.Group)}, "%s has the mode %04o", clip(file), info.Mode().Perm())
	}
	return judgeRegistration(r, e.look.Config.AppService, w)
}

// judgeRegistration returns a fault if the homeserver does not accept the
// registration file. The parameter w has the warnings of package config about the
// file. If there is no fault, judgeRegistration returns these as one warning.
func judgeRegistration(r appservice.Registration, as *config.AppService, w warnings) engine.Finding {
	var server matrix.ServerName
	if as != nil {
		server = as.Server
	}
	var wrong []string
	for _, finding := range r.Lint(server) {
		if finding.Severity == appservice.Wrong {
			wrong = append(wrong, finding.String())
		}
	}
	switch {
	case len(wrong) > 0:
		return found("registration", nil, "%s", strings.Join(wrong, "; "))
	case len(w) > 0:
		return found("config-doubtful", nil, "%s", w)
	case r.URL != "":
		return ok("Synapse can read it, and pushes every event of rooms with local users here")
	}
	return ok("Synapse can read it")
}
