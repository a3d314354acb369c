package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/setup/existing"
)

// takeover is what setup takes over from an old deployment. nil means nothing.
type takeover struct {
	existing.Verdict
	files []string
	taken []taken
}

// taken is an option, with its value in a file of the old deployment.
type taken struct {
	option string
	existing.Fact
}

// takeOver reads the files of --from, and takes their values for the options
// that were not given in this run. It changes none of these files. existing.Open
// decides which files of a folder it reads. d is nil if there is nobody to ask.
func (o *options) takeOver(d *dialogue) error {
	if o.from == "" {
		return nil
	}
	deployment, err := existing.Open(strings.Split(o.from, ","), o.dir)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	o.over = &takeover{Verdict: existing.Judge(deployment), files: deployment.Files()}
	if err := o.refuseOwnFiles(); err != nil {
		return err
	}
	if err := o.adopt(d); err != nil {
		return err
	}
	if d == nil {
		o.guessed()
	}
	o.makeRoom()
	return nil
}

// guessed adds a finding if no file has the homeserver's public URL, so that
// setup must guess it. A wrong guess would replace an address that works
// today.
func (o *options) guessed() {
	if o.baseURL != "" {
		return
	}
	o.over.Findings = append(o.over.Findings, existing.Finding{
		Verb: existing.Change, What: "base_url in well-known-client.json, unless it is right",
		Why: fmt.Sprintf("No file has the homeserver's public address. setup wrote %s; with a wrong address nobody can log in any more. If it is wrong, run setup again with --base-url.",
			presetBaseURL(o.serverName, o.singleHost)),
		Check: "it is the same base_url as in the file that your server name serves today at /.well-known/matrix/client.",
	})
}

// refuseOwnFiles returns an error if a file of --from is in the folder into
// which setup writes.
func (o *options) refuseOwnFiles() error {
	dir, err := os.Stat(o.dir)
	if err != nil {
		return nil // the folder does not exist yet, or another check reports what is wrong with the folder
	}
	for _, name := range o.over.files {
		if parent, err := os.Stat(filepath.Dir(name)); err == nil && os.SameFile(dir, parent) {
			return fmt.Errorf("--from: %s is in %s, into which setup would write: give another folder as --dir", name, o.dir)
		}
	}
	return nil
}

// adopt takes the value in the old files for each option that was not given in
// this run. It returns all contradictions between two old files, and between an
// old file and the folder.
func (o *options) adopt(d *dialogue) error {
	faults := []error{o.oneOrTwo(d)}
	for _, a := range o.answers() {
		facts := o.usable(a, o.over.Answers[a.name])
		if len(facts) == 0 || o.given[a.name] {
			continue
		}
		fact, err := o.settle(d, a, facts)
		if err == nil {
			err = o.take(a, fact)
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// oneOrTwo handles an old deployment that mixes two forms: one program has a
// path below a shared host name, and the other has its own host name. setup
// supports only the same form for both. oneOrTwo drops these host names, so
// that setup asks for them. If there is nobody to ask, it returns an error.
func (o *options) oneOrTwo(d *dialogue) error {
	of := o.over.Answers
	single, own := of["single-host"], slices.Concat(of["jwt-host"], of["sfu-host"])
	both := len(single) > 0 && len(own) > 0
	switch {
	case both && d == nil && !o.given["single-host"] && !o.given["jwt-host"] && !o.given["sfu-host"]:
		return fmt.Errorf("%s puts one program at a path of the host name %s, but %s gives the other program its own host name, %s: give --single-host to use paths for both, or --jwt-host and --sfu-host to use two host names",
			single[0].Place, single[0].Value, own[0].Place, own[0].Value)
	case both, o.given["single-host"]: // setup must not take over a separate host name for each of the two programs
		delete(of, "jwt-host")
		delete(of, "sfu-host")
	}
	if both || o.given["jwt-host"] || o.given["sfu-host"] {
		delete(of, "single-host")
	}
	return nil
}

// usable returns the facts that are valid answers. It adds a finding for each
// invalid one.
func (o *options) usable(a answer, facts []existing.Fact) (good []existing.Fact) {
	for _, f := range facts {
		q := questions[a.name]
		if q.valid == nil {
			good = append(good, f)
			continue
		}
		if err := q.valid(o, f.Value); err != nil {
			o.over.Findings = append(o.over.Findings, existing.Finding{
				Verb: existing.Change, What: "what the old deployment has for --" + a.name, Place: f.Place,
				Why:   fmt.Sprintf("setup cannot take this value over: %v. The new files have %s.", err, shown(a.get())),
				Check: fmt.Sprintf("answers.yaml has the value that you want for %s.", a.name),
			})
			continue
		}
		good = append(good, f)
	}
	return good
}

// settle returns the fact to use. If several facts contradict each other, it
// asks a person.
func (o *options) settle(d *dialogue, a answer, facts []existing.Fact) (existing.Fact, error) {
	if len(facts) == 1 {
		return facts[0], nil
	}
	var list []string
	for _, f := range facts {
		list = append(list, fmt.Sprintf("%s (%s)", f.Value, f.Place))
	}
	if d == nil {
		return facts[0], fmt.Errorf("--%s: the files contradict each other, %s: give this option with the right value", a.name, strings.Join(list, " and "))
	}
	fmt.Fprintf(d.out, "The files contradict each other: %s\n", strings.Join(list, ", "))
	chosen := existing.Fact{Place: existing.Place{File: "your answer"}}
	err := d.text(&chosen.Value, questions[a.name].text, facts[0].Value, o.valid(a))
	return chosen, err
}

// take uses the fact f as the answer a. It returns an error if the folder has
// another answer.
func (o *options) take(a answer, f existing.Fact) error {
	old := o.memory.answers[a.name]
	if a.yes != nil && old == "" {
		old = "false"
	}
	if o.memory.there && old != f.Value {
		return fmt.Errorf("--%s: %s has %s, but the folder %s has %s: give a new folder as --dir, or give --%[1]s", a.name, f.Place, shown(f.Value), o.dir, shown(old))
	}
	if err := a.set(f.Value); err != nil {
		return fmt.Errorf("--%s: %w", a.name, err)
	}
	o.given[a.name] = !o.memory.there
	o.over.taken = append(o.over.taken, taken{a.name, f})
	return nil
}

// makeRoom moves the ports of TURN's relay if they overlap the media ports
// that setup takes over. It does nothing if somebody has chosen the relay's
// ports.
func (o *options) makeRoom() {
	media, err := parseRange(o.udpRange)
	relay, relayErr := parseRelayRange(o.relayRange)
	if err != nil || relayErr != nil || !media.overlaps(relay) || o.given["relay-range"] || o.memory.there {
		return
	}
	size := relay.Last - relay.First
	relay = ports{media.Last + 1, media.Last + 1 + size}
	if relay.Last > 65535 {
		relay = ports{media.First - 1 - size, media.First - 1}
	}
	o.relayRange, o.given["relay-range"] = relay.String(), true
}

// pair returns the taken-over API key with its secret, or a zero pair.
func (t *takeover) pair() pair {
	if t == nil {
		return pair{}
	}
	return pair{t.Pair.ID, t.Pair.Secret}
}

// registration returns r with the names and tokens of the old deployment's
// registration, which the homeserver already knows.
func (t *takeover) registration(r appservice.Registration) (appservice.Registration, error) {
	if t == nil || t.Registration.Name == "" {
		return r, nil
	}
	old, err := appservice.Parse(t.Registration.Content)
	if err != nil {
		return r, fmt.Errorf("--from: %s: %w", t.Registration.Name, err)
	}
	return r.KeepTokens(old), nil
}

// envLines returns lines for .env with the variables that setup takes over
// unchanged.
func (t *takeover) envLines() string {
	if t == nil || len(t.Variables) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n# Variables of the old deployment.\n")
	for _, v := range t.Variables {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, strings.TrimSpace(v.Value.Reveal()))
	}
	return b.String()
}
