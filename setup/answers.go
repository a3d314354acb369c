package setup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// answersFile is the file in which the folder keeps the answers for the next
// run. An answer is the value of one of setup's options.
const answersFile = "answers.yaml"

const answersHead = `# The answers that matrixrtc-auth setup was given. When it runs again for this
# folder, an option that is not given stays as it is here. No secret is in it.
`

// none is the value that switches off an option which an earlier run set.
const none = "none"

// answer is an option whose value the folder remembers.
type answer struct {
	name string  // the name of the option, and of its line in answersFile
	text *string // the option's value; "" while it is not known
	yes  *bool   // the option's value, instead of text, if the option is a switch like --turn
	// always means that answersFile contains this answer even if its value is
	// the default. Other programs and the router depend on the value, so it
	// must stay if a later version of setup has another default.
	always bool
	// dropped are the names of the answers that setup removes when this answer
	// is set.
	dropped []string
}

// answers returns all answers in the order of answersFile. The last one is
// always in the file, so setup recognizes a truncated file by its missing last
// line.
func (o *options) answers() []answer {
	return []answer{
		{name: "server-name", text: &o.serverName, always: true},
		{name: "jwt-host", text: &o.jwtHost, dropped: []string{"single-host"}},
		{name: "sfu-host", text: &o.sfuHost, dropped: []string{"single-host"}},
		{name: "single-host", text: &o.singleHost, dropped: []string{"jwt-host", "sfu-host"}},
		{name: "base-url", text: &o.baseURL},
		{name: "homeserver-url", text: &o.homeserverURL},
		{name: "homeserver-network", text: &o.homeserverNetwork},
		{name: "udp-range", text: &o.udpRange, always: true},
		{name: "relay-range", text: &o.relayRange, always: true},
		{name: "jwt-port", text: &o.jwtPort, always: true},
		{name: "turn-tls", text: &o.turnTLS},
		{name: "turn-cert", text: &o.turnCert},
		{name: "turn-key", text: &o.turnKey},
		{name: "image", text: &o.image, dropped: []string{"source", "image-arch"}},
		{name: "source", text: &o.source, dropped: []string{"image", "image-arch"}},
		{name: "image-arch", text: &o.imageArch, dropped: []string{"image", "source"}},
		{name: "appservice-url", text: &o.appServiceURL},
		{name: "appservice", yes: &o.appService, always: true},
		{name: "server-block", yes: &o.serverBlock, always: true},
		{name: "turn", yes: &o.turn, always: true},
	}
}

// optional reports whether the operator may switch the option off with [none].
func (a answer) optional() bool { return a.text != nil && !a.always }

// get returns the answer's value as setup writes it into answersFile. It returns
// "" if the answer has no value.
func (a answer) get() string {
	if a.yes != nil {
		return strconv.FormatBool(*a.yes)
	}
	return *a.text
}

// set sets the answer to value, which is a value as it stands in answersFile.
func (a answer) set(value string) error {
	if a.yes == nil {
		*a.text = value
		return nil
	}
	if value != "true" && value != "false" {
		return fmt.Errorf("%s is neither true nor false", a.name)
	}
	*a.yes = value == "true"
	return nil
}

// switchOff clears each option to which the operator gave the value none in
// this run. It leaves out options that always have a value, like --jwt-port. A
// switch like --turn has --turn=false instead of none.
func (o *options) switchOff() {
	for _, a := range o.answers() {
		if o.given[a.name] && a.optional() && *a.text == none && a.name != "image-arch" { // for image-arch, none is an ordinary value
			*a.text, o.switchedOff[a.name] = "", true
		}
	}
}

// recall sets options to the answers of earlier runs, which are in old. It
// leaves out each option that this run sets, or whose answer this run removes.
func (o *options) recall(old map[string]string) error {
	ended := o.endedNow()
	for _, a := range o.answers() {
		value, known := old[a.name]
		if o.given[a.name] || ended[a.name] || !known {
			continue
		}
		o.recalled[a.name] = true
		if err := a.set(value); err != nil {
			return err
		}
	}
	return nil
}

// belongings maps an option to the options that have no meaning without it.
var belongings = map[string][]string{
	"appservice": {"appservice-url"}, "turn-tls": {"turn-cert", "turn-key"},
	"turn-cert": {"turn-key"}, "turn-key": {"turn-cert"},
}

// endedNow returns the names of the answers that setup removes because of the
// options given in this run.
func (o *options) endedNow() map[string]bool {
	ended := map[string]bool{}
	for _, a := range o.answers() {
		for _, name := range o.ends(a) {
			ended[name] = ended[name] || o.given[a.name]
		}
	}
	return ended
}

// ends returns the names of the answers that setup removes because the answer a
// has its present value.
func (o *options) ends(a answer) []string {
	switch value := a.get(); {
	case o.switchedOff[a.name] || value == "false":
		return belongings[a.name]
	case value == "" || value == none:
		return nil
	}
	return a.dropped
}

// saysAnything reports whether any option other than --dir was given.
func (o *options) saysAnything() bool {
	for name := range o.given {
		if name != "dir" {
			return true
		}
	}
	return false
}

// answersText returns the content of answersFile.
func answersText(values map[string]string) string {
	var b strings.Builder
	b.WriteString(answersHead)
	for _, a := range new(options).answers() {
		if value := values[a.name]; value != "" {
			fmt.Fprintf(&b, "%s: %s\n", a.name, yamlText(value))
		}
	}
	return b.String()
}

// yamlText returns value as YAML text. It adds quotation marks if YAML would
// otherwise read another value.
func yamlText(value string) string {
	var read string
	if err := yaml.Unmarshal([]byte(value), &read); err == nil && read == value && !strings.ContainsAny(value, "#\n") {
		return value
	}
	return strconv.Quote(value)
}

// parseAnswers parses the content of answersFile, which has one line for each
// option. unknown are the names in the file that are not options of this
// version.
func parseAnswers(text string) (values map[string]string, unknown []string, err error) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, nil, fmt.Errorf("%s: the last line has no line break, so the end of the file may be missing: if it is complete, add the line break; if not, remove the file so that setup takes the answers from the folder's other files", answersFile)
	}
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(text), &nodes); err != nil {
		return nil, nil, fmt.Errorf("%s: %w: correct the file, or remove it so that setup takes the answers from the folder's other files", answersFile, err)
	}
	values = map[string]string{}
	for _, a := range new(options).answers() {
		node, found := nodes[a.name]
		if !found {
			continue
		}
		delete(nodes, a.name)
		if node.Kind != yaml.ScalarNode {
			return nil, nil, fmt.Errorf("%s: line %d: %s must have one value, in one line", answersFile, node.Line, a.name)
		}
		value := node.Value
		if node.Tag == "!!null" || value == none && a.optional() && a.name != "image-arch" {
			value = ""
		}
		if err := a.set(value); err != nil {
			return nil, nil, fmt.Errorf("%s: line %d: %w", answersFile, node.Line, err)
		}
		values[a.name] = value
	}
	for name := range nodes {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	return values, unknown, nil
}
