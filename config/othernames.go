package config

import (
	"maps"
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/internal/secret"
)

// otherNames maps variables of other programs to variables of this program with
// the same meaning.
var otherNames = map[string][]string{
	// Variables of LiveKit's SDKs, agents and command line.
	"LIVEKIT_API_KEY":    {"LIVEKIT_KEY"},
	"LIVEKIT_API_SECRET": {"LIVEKIT_SECRET"},
	"LIVEKIT_API_URL":    {"LIVEKIT_INTERNAL_URL"},
	"LIVEKIT_HOST":       {"LIVEKIT_URL"},
	"LIVEKIT_PUBLIC_URL": {"LIVEKIT_URL"},
	"LIVEKIT_SERVER_URL": {"LIVEKIT_URL"},
	"LIVEKIT_SFU_URL":    {"LIVEKIT_URL"},
	"LIVEKIT_WS_URL":     {"LIVEKIT_URL"},
	// Variables of LiveKit's server, or names like them.
	"LIVEKIT_KEYS":          {"LIVEKIT_KEY", "LIVEKIT_SECRET"},
	"LIVEKIT_KEYS_FILE":     {"LIVEKIT_KEY_FILE"},
	"LIVEKIT_REDIS_ADDR":    {"LIVEKIT_REDIS_URL"},
	"LIVEKIT_REDIS_ADDRESS": {"LIVEKIT_REDIS_URL"},
	"LIVEKIT_REDIS_HOST":    {"LIVEKIT_REDIS_URL"},
}

// livekitsOwn are variables in the documentation of LiveKit's server. This
// program does not warn of them, because one .env may hold the variables of
// both programs.
var livekitsOwn = []string{"LIVEKIT_CONFIG", "LIVEKIT_KEYS", "LIVEKIT_REGION", "LIVEKIT_TURN_CERT", "LIVEKIT_TURN_KEY"}

// usualNames are names that many programs use for their variables, so they
// cause no warning. With LIVEKIT_ before them, they are variables of this
// program.
var usualNames = []string{"LOG_LEVEL", "LOG_FORMAT"}

const (
	ourPrefix   = "LIVEKIT_"
	olderPrefix = "LK_"
	// olderService is the prefix of the variables of an older authorization
	// service.
	olderService = "LK_JWT_"
)

// mayBeMeant reports whether somebody may have set a variable for this
// program, although this program does not read it.
func mayBeMeant(name string) bool {
	return !known(name) && (hasOurPrefix(name) || len(counterparts(name)) > 0)
}

func hasOurPrefix(name string) bool {
	return strings.HasPrefix(name, ourPrefix) || strings.HasPrefix(name, olderService)
}

// counterparts returns the variables of this program that have the same meaning
// as the given variable. It finds them in the table otherNames. It also finds a
// variable of this program whose name differs only in the prefix or in capital
// letters.
func counterparts(name string) []string {
	if upper := strings.ToUpper(name); upper != name && hasOurPrefix(upper) {
		name = upper
	}
	if ours, ok := otherNames[name]; ok {
		return ours
	}
	if known(name) {
		return []string{name}
	}
	for _, prefix := range []string{olderService, olderPrefix, ""} {
		bare, ok := strings.CutPrefix(name, prefix)
		isUsual := prefix == "" && (!strings.Contains(bare, "_") || slices.Contains(usualNames, bare))
		if ours := ourPrefix + bare; ok && known(ours) && !isUsual {
			return []string{ours}
		}
	}
	return fromFile(name)
}

// fromFile gets the name of a variable that this program does not read. If the name
// ends in _FILE, the value is the path of a file. fromFile then returns the variable
// of this program with the same meaning, whose name ends in _FROM_FILE. It returns
// nil if there is none, or if the name does not end in _FILE.
func fromFile(name string) []string {
	bare, ok := strings.CutSuffix(name, "_FILE")
	if !ok {
		return nil
	}
	bare = strings.TrimSuffix(bare, "_FROM")
	for _, inline := range append(counterparts(bare), bare) {
		if ours := inline + "_FROM_FILE"; known(ours) {
			return []string{ours}
		}
	}
	return nil
}

// other is a variable that this program does not read, although somebody may
// have set it for this program.
type other struct {
	name string
	text secret.Text
	ours []string // this program's variables that were probably meant, if that is clear
	hint string   // the end of the warning: which variable to use instead
	told bool     // whether a fault names the variable, so that no warning is needed
}

// findOthers finds the variables in env that may need a warning. It sorts them
// by name.
func findOthers(env Environment) []*other {
	var list []*other
	for _, name := range slices.Sorted(maps.Keys(env)) {
		text := clean(env[name].Reveal())
		if text != "" && mayBeMeant(name) && !strings.ContainsFunc(name, invisible) && !isServiceLink(name, text) {
			list = append(list, newOther(name, text))
		}
	}
	return list
}

func newOther(name, text string) *other {
	o := &other{name: name, text: secret.New(text), ours: counterparts(name)}
	nearest, errors := nearestName(name)
	switch {
	case len(o.ours) > 0:
		o.hint = ": here it is " + strings.Join(o.ours, " and ")
	case errors <= typingErrors:
		o.ours, o.hint = []string{nearest}, "; did you mean "+nearest+"?"
	default:
		o.hint = "; the nearest is " + nearest + ", and \"matrixrtc-auth help\" lists all"
	}
	return o
}

// instead returns a text for the fault about missing variables. The text names
// the variables of other programs that are set instead; it is "" if there are
// none. instead also marks these variables as told, so that no warning repeats
// them.
func (j *judge) instead(missing []value) string {
	var hints []string
	for _, o := range j.others {
		if slices.ContainsFunc(missing, func(v value) bool { return slices.Contains(o.ours, v.name) }) {
			hints = append(hints, o.name+" is set: here it is "+strings.Join(o.ours, " and "))
			o.told = true
		}
	}
	return strings.Join(hints, "; ")
}

// otherVariables warns of variables that this program does not read, although
// somebody may have set them for this program.
func (j *judge) otherVariables() {
	for _, o := range j.others {
		if !o.told && !slices.Contains(livekitsOwn, o.name) && !j.isSaid(o) {
			j.warn(value{name: o.name}, UnknownName, "this is not a variable of this program%s", o.hint)
		}
	}
}

// isSaid reports whether this program's variable with the same meaning as o has
// the same value. Then no warning is needed.
func (j *judge) isSaid(o *other) bool {
	return len(o.ours) == 1 && j.variable(o.ours[0]).text.Equal(o.text)
}

// These patterns match the variables that Kubernetes sets in a pod for each
// Service. For a Service named livekit, these variables are
// LIVEKIT_SERVICE_HOST, LIVEKIT_PORT_7880_TCP_ADDR and LIVEKIT_PORT. The value
// of LIVEKIT_PORT is a URL.
var (
	serviceLink = pattern.New(`_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
	portURL     = pattern.New(`^(tcp|udp|sctp)://`)
)

func isServiceLink(name, text string) bool {
	return serviceLink().MatchString(name) || strings.HasSuffix(name, "_PORT") && portURL().MatchString(text)
}
