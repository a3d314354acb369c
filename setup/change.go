package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// question has the text of a question, and the check of its answer.
type question struct {
	text  string
	valid func(o *options, text string) error // checks the answer; nil if setup checks this answer only later, together with all answers
	empty string                              // what an empty answer means; "" if an empty answer is not allowed
}

// line returns the question's text. If there is no old value, the text also
// says what an empty answer means.
func (q question) line(old string) string {
	if q.empty == "" || old != "" {
		return q.text
	}
	return q.text + " (Enter: " + q.empty + ")"
}

// questions has the question for each option, by the option's name.
var questions = map[string]question{
	"server-name":        {"Server name (example.org in @alice:example.org)", parses(parseServerNames), ""},
	"jwt-host":           {"Name of this service", besides("jwt-host"), ""},
	"sfu-host":           {"Name of LiveKit", besides("sfu-host"), ""},
	"single-host":        {"Name of that host", parses(parseHost), ""},
	"base-url":           {"Where clients reach the homeserver", perServer(parseBaseURL), ""},
	"homeserver-url":     {"Where the container reaches the homeserver, like http://host.docker.internal:8008", perServer(parseHomeserverURL), "under its public name"},
	"homeserver-network": {"Network of the homeserver's containers, which this service joins", parses(parseNetwork), "none"},
	"udp-range":          {"UDP ports of media", parses(parseRange), ""},
	"relay-range":        {"UDP ports of TURN's relay", parses(parseRelayRange), ""},
	"jwt-port":           {"Port for the reverse proxy, of this service", parses(parsePort), ""},
	"turn":               {"TURN over UDP, for strict networks (forward port 3478)?", nil, ""},
	"turn-tls":           {"Name of TURN over TLS", parses(parseHost), ""},
	"turn-cert":          {"File of its certificate", nil, ""},
	"turn-key":           {"File of its private key", nil, ""},
	"appservice":         {"Application-service mode, for newer clients (Synapse 1.161 or later)?", nil, ""},
	"appservice-url":     {"Where the homeserver reaches this service", parses(parseAppServiceURL), "under its public name"},
	"image":              {"Image to use", parses(parseImage), ""},
	"image-arch":         {"Processor of the machine that it will run on, to make the image for: amd64 (most PCs and NAS),\narm64 or armv7. There, uname -m says x86_64, aarch64 or armv7l.", parses(parseProcessor), "make it later"},
}

// parses returns a check that accepts each text that parse accepts.
func parses[T any](parse func(string) (T, error)) func(*options, string) error {
	return func(_ *options, text string) error {
		_, err := parse(text)
		return err
	}
}

// perServer returns a check for an option that can have a value for each
// server. parse checks one value.
func perServer(parse func(string) (string, error)) func(*options, string) error {
	return func(o *options, text string) error {
		_, err := parseAddresses(serversIn(o.serverName), text, parse)
		return err
	}
}

// besides returns a check of a host name. flag is the option for this host
// name: jwt-host or sfu-host. The host name of this service, that of LiveKit and
// the server names must all differ.
func besides(flag string) func(*options, string) error {
	return func(o *options, text string) error {
		host, err := parseHost(text)
		switch {
		case err != nil:
			return err
		case flag != "jwt-host" && host == strings.ToLower(o.jwtHost):
			return fmt.Errorf("%s is already the host name of this service; write another one", host)
		case flag != "sfu-host" && host == strings.ToLower(o.sfuHost):
			return fmt.Errorf("%s is already the host name of LiveKit; write another one", host)
		}
		for _, server := range serversIn(o.serverName) {
			if err := notTheServer(server, flag, host); err != nil {
				return err
			}
		}
		return nil
	}
}

// answer returns the answer of the option called name, and whether there is
// such an option.
func (o *options) answer(name string) (answer, bool) {
	all := o.answers()
	i := slices.IndexFunc(all, func(a answer) bool { return a.name == name })
	if i < 0 {
		return answer{}, false
	}
	return all[i], true
}

// ask asks a person for the answer of the option called name, unless the option
// has a value already.
func (d *dialogue) ask(o *options, name, preset string) error {
	a, _ := o.answer(name)
	if *a.text != "" {
		return nil
	}
	if err := d.text(a.text, questions[name].line(preset), preset, o.valid(a)); err != nil {
		return err
	}
	if *a.text == none && questions[name].empty != "" {
		*a.text = ""
	}
	return nil
}

// valid returns a function that checks a text for the answer a. The function
// accepts every text if the question has no check.
func (o *options) valid(a answer) func(string) error {
	return func(text string) error {
		q := questions[a.name]
		if q.valid == nil || q.empty != "" && (text == "" || text == none) {
			return nil
		}
		return q.valid(o, text)
	}
}

// dialogue.lost asks a person for lost answers. These are answers that setup
// once stored in the folder, but that no file of the folder contains now.
func (d *dialogue) lost(o *options) error {
	for _, a := range o.answers() {
		if !slices.Contains(o.memory.lost, a.name) || o.given[a.name] {
			continue
		}
		if err := d.again(o, a); err != nil {
			return err
		}
	}
	return nil
}

// change shows the answers, and asks a person which ones to change. It repeats
// this until the person picks none.
func (d *dialogue) change(o *options) error {
	fmt.Fprintln(d.out, "The answers of this folder:")
	for {
		o.list(d.out)
		chosen, err := d.choose(o)
		if err != nil || len(chosen) == 0 {
			return err
		}
		for _, a := range chosen {
			if err := d.again(o, a); err != nil {
				return err
			}
		}
	}
}

// choose asks which answers to change, and returns them.
func (d *dialogue) choose(o *options) (chosen []answer, err error) {
	for range attempts {
		line, err := d.line("Change which? (numbers or names; Enter: none of them): ")
		if err != nil {
			return nil, err
		}
		chosen, fault := o.named(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' }))
		if fault == nil {
			return chosen, nil
		}
		fmt.Fprintf(d.out, "  %v\n", fault)
	}
	return nil, errNoAnswer
}

// named finds an answer for each of the words. A word is the name of an answer,
// or the number of the answer in the list.
func (o *options) named(words []string) (chosen []answer, err error) {
	all := o.answers()
	for _, word := range words {
		if n, err := strconv.Atoi(word); err == nil && n >= 1 && n <= len(all) {
			word = all[n-1].name
		}
		a, found := o.answer(strings.TrimPrefix(word, "--"))
		if !found {
			return nil, fmt.Errorf("there is no answer with the name or number %.40q", word)
		}
		chosen = append(chosen, a)
	}
	return chosen, nil
}

// dialogue.again asks a person for a new value of the answer a. If the person
// types nothing, the answer keeps its value.
func (d *dialogue) again(o *options, a answer) (err error) {
	old := a.get()
	text := cmp.Or(questions[a.name].line(old), "--"+a.name)
	if a.yes != nil {
		*a.yes, err = d.confirm(text, *a.yes)
	} else {
		err = d.replace(o, a, text)
	}
	if err == nil && (a.get() != old || slices.Contains(o.memory.lost, a.name)) {
		o.say(a)
	}
	return err
}

// replace asks for a new value of an answer.
func (d *dialogue) replace(o *options, a answer, text string) error {
	old := *a.text
	if a.optional() && old != "" {
		text += " (" + none + " switches it off)"
	}
	*a.text = ""
	valid := o.valid(a)
	err := d.text(a.text, text, old, func(answer string) error {
		if a.optional() && (answer == none || answer == "") {
			return nil
		}
		return valid(answer)
	})
	if err != nil {
		*a.text = old
	}
	return err
}

// say marks the answer a as given in this run, and removes the answers that a
// makes invalid.
func (o *options) say(a answer) {
	o.given[a.name] = true
	delete(o.recalled, a.name)
	o.switchOff()
	if a.get() == "" { // the answer is now empty
		o.switchedOff[a.name] = true
	}
	for _, name := range o.ends(a) {
		if ended, found := o.answer(name); found && ended.text != nil {
			*ended.text = ""
			delete(o.recalled, name)
		}
	}
}
