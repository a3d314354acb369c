package existing

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"matrixrtc-auth/internal/secret"
)

// compose is the content of a compose file, together with all env files of the
// deployment.
type compose struct {
	tree
	env      []envFile         // all env files of the deployment
	values   map[string]string // the variables' values, which replace ${…} in the file
	left     int               // how many more bytes of values may be put in the places of ${…}
	unset    []string          // variables that no file sets, although the container that is being read needs them
	services []*container
}

// container is a service of a compose file. In its fields, the values of
// variables have replaced each ${…}.
type container struct {
	name, image, command string
	at                   Place
	hostNetwork          bool
	environment          []Variable
	published            []published
	mounts               []Fact // the mounts, in the form SOURCE:TARGET
	networks             []string
	labels               []Fact // the labels, in the form NAME=VALUE
	lost                 []Fact // the env files that the service names, but that setup has not read
	unset                []string
}

// published is a port, or a range of ports, that the machine forwards to a
// container.
type published struct {
	outside, inside, protocol string
	at                        Place
}

// complete reads the services of the compose file. Read calls it after it has
// read all env files, because the services use the variables in them.
func (c *compose) complete(env []envFile) {
	c.env, c.values, c.left = env, map[string]string{}, biggest
	dir := filepath.Dir(c.file)
	for _, beside := range []bool{false, true} { // the .env beside the compose file comes last, because its values override those of the other env files
		for _, f := range env {
			if beside == (f.name == filepath.Join(dir, ".env")) {
				for _, v := range f.variables {
					c.values[v.Name] = v.Value.Reveal()
				}
			}
		}
	}
	for _, e := range c.get("services").entries() {
		c.services = append(c.services, c.service(e))
	}
}

func (c *compose) say(t tree) string {
	return interpolate(t.text(), &c.left, func(name string, needed bool) string {
		if needed && c.values[name] == "" && !slices.Contains(c.unset, name) {
			c.unset = append(c.unset, name)
		}
		return c.values[name]
	})
}

func (c *compose) service(e entry) *container {
	c.unset = nil
	s := &container{
		name: e.key, at: e.at, image: c.say(e.value.get("image")),
		command:     strings.Join(append(c.list(e.value.get("entrypoint")), c.list(e.value.get("command"))...), " "),
		hostNetwork: c.say(e.value.get("network_mode")) == "host",
	}
	for _, name := range c.list(e.value.get("env_file")) {
		c.addEnvFile(s, name, e.value.get("env_file").place())
	}
	for _, f := range c.assignments(e.value.get("environment")) {
		name, value, _ := strings.Cut(f.Value, "=")
		s.environment = append(s.environment, Variable{name, secret.New(value), f.Place})
	}
	s.environment = lastOf(s.environment)
	for _, p := range e.value.get("ports").items() {
		s.published = append(s.published, c.port(p))
	}
	for _, v := range e.value.get("volumes").items() {
		s.mounts = append(s.mounts, c.mount(v))
	}
	s.labels = c.assignments(e.value.get("labels"))
	s.networks = c.list(e.value.get("networks"))
	for _, n := range e.value.get("networks").entries() {
		s.networks = append(s.networks, n.key)
	}
	s.unset = c.unset
	return s
}

// list returns the texts in t, which is a list of texts or a single text.
func (c *compose) list(t tree) (list []string) {
	if text := c.say(t); text != "" {
		return []string{text}
	}
	for _, item := range t.items() {
		list = append(list, cmp.Or(c.say(item), c.say(item.get("path"))))
	}
	return list
}

// assignments returns the assignments NAME=VALUE in t, which is a mapping or a
// list. A name without a value gets its value from an env file.
func (c *compose) assignments(t tree) (list []Fact) {
	for _, item := range t.items() {
		text := c.say(item)
		if !strings.Contains(text, "=") {
			text += "=" + c.values[text]
		}
		list = append(list, Fact{text, item.place()})
	}
	for _, e := range t.entries() {
		value := c.say(e.value)
		if !e.value.there() {
			value = c.values[e.key]
		}
		list = append(list, Fact{e.key + "=" + value, e.at})
	}
	return list
}

// addEnvFile adds the variables of an env file to s. The argument name is how the
// compose file names it: a path from the folder of the compose file. If setup has
// read no file with this path, addEnvFile takes the first env file with the same
// base name. If there is none either, it adds the name to s.lost.
func (c *compose) addEnvFile(s *container, name string, at Place) {
	path := filepath.Join(filepath.Dir(c.file), name)
	isIt := func(f envFile) bool { return f.name == path }
	if !slices.ContainsFunc(c.env, isIt) {
		isIt = func(f envFile) bool { return filepath.Base(f.name) == filepath.Base(name) }
	}
	i := slices.IndexFunc(c.env, isIt)
	if i < 0 {
		s.lost = append(s.lost, Fact{name, at})
		return
	}
	s.environment = lastOf(append(s.environment, c.env[i].variables...))
}

// port parses a port in Compose's short form,
// [ADDRESS:]OUTSIDE:INSIDE[/PROTOCOL], or in the long form, a mapping.
func (c *compose) port(t tree) published {
	if len(t.entries()) > 0 {
		return published{c.say(t.get("published")), c.say(t.get("target")), cmp.Or(c.say(t.get("protocol")), "tcp"), t.place()}
	}
	text, protocol, _ := strings.Cut(c.say(t), "/")
	outside, inside := text, text
	if i := strings.LastIndex(text, ":"); i >= 0 {
		outside, inside = text[:i], text[i+1:]
	}
	return published{outside[strings.LastIndex(outside, ":")+1:], inside, cmp.Or(protocol, "tcp"), t.place()}
}

func (c *compose) mount(t tree) Fact {
	if len(t.entries()) > 0 {
		return Fact{c.say(t.get("source")) + ":" + c.say(t.get("target")), t.place()}
	}
	return Fact{c.say(t), t.place()}
}

// variable returns the first of the named variables that is set.
func (s *container) variable(names ...string) (v Variable, found bool) {
	if s == nil {
		return v, false
	}
	for _, name := range names {
		for _, v := range s.environment {
			if v.Name == name && strings.TrimSpace(v.Value.Reveal()) != "" {
				return v, true
			}
		}
	}
	return v, false
}

// isLiveKit reports whether the container runs LiveKit.
func (s *container) isLiveKit() bool {
	return strings.Contains(s.image, "livekit-server") || strings.Contains(s.command, "livekit-server")
}

// isService reports whether the container runs an authorization service: this
// program or lk-jwt-service.
func (s *container) isService() bool {
	for _, name := range []string{"lk-jwt-service", "matrixrtc-auth", "livekit-jwt"} {
		if strings.Contains(s.image+s.command, name) {
			return true
		}
	}
	_, named := s.variable("LIVEKIT_FULL_ACCESS_HOMESERVERS", "LIVEKIT_LOCAL_HOMESERVERS", "LIVEKIT_JWT_BIND", "LIVEKIT_JWT_PORT", "LK_JWT_PORT")
	return named && !s.isLiveKit()
}

// label returns the value of the first label whose name has the given end.
func (s *container) label(end string) (f Fact, found bool) {
	if s == nil {
		return f, false
	}
	for _, l := range s.labels {
		if name, value, _ := strings.Cut(l.Value, "="); strings.HasSuffix(strings.ToLower(name), end) {
			return Fact{value, l.Place}, true
		}
	}
	return f, false
}
