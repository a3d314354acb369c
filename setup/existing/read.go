package existing

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Deployment is the content of the old deployment's files, sorted by kind.
type Deployment struct {
	livekit      []tree // the content of each livekit.yaml
	compose      []*compose
	homeserver   []tree // the content of each homeserver.yaml
	wellKnown    []tree
	registration []File
	env          []envFile
	keyFiles     []tree
	unread       []Fact // the files that could not be read, each with the reason
}

// envFile is a file with lines NAME=value.
type envFile struct {
	name      string
	variables []Variable
}

// errUnknown is the error for a file of a kind that this package does not know.
var errUnknown = errors.New("the file is not a livekit.yaml, compose file, env file, homeserver.yaml, well-known file or registration")

// Read sorts files into kinds by their content. For each file that it cannot
// sort, it returns an error that begins with the file's name. The error wraps
// [errUnknown] if this package does not know the file's kind.
func Read(files []File) (*Deployment, []error) {
	d := &Deployment{}
	var faults []error
	for _, f := range files {
		if err := d.add(f); err != nil {
			faults = append(faults, err)
		}
	}
	for _, c := range d.compose {
		c.complete(d.env)
	}
	return d, faults
}

func (d *Deployment) add(f File) error {
	t, err := parse(f)
	isEnv := len(variables(f)) > 0
	if err == nil && d.sort(f, t) {
		return nil
	}
	switch {
	case err != nil && !errors.Is(err, errNoMapping) && isYAML(f.Name):
		return err
	case isEnv:
		d.env = append(d.env, envFile{f.Name, variables(f)})
		return nil
	}
	return fmt.Errorf("%s: %w", f.Name, errUnknown)
}

func isYAML(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".yaml" || ext == ".yml" || ext == ".json"
}

// sort adds the file f, whose content is t, to the files of its kind. It
// reports whether it knows the kind.
func (d *Deployment) sort(f File, t tree) bool {
	has := func(name string) bool { return t.get(name).there() }
	switch {
	case has("services"):
		d.compose = append(d.compose, &compose{tree: t})
	case has("as_token"):
		d.registration = append(d.registration, f)
	case has("server_name"):
		d.homeserver = append(d.homeserver, t)
	case has("m.homeserver"), has(foci):
		d.wellKnown = append(d.wellKnown, t)
	case has("rtc"), has("turn"), has("webhook"), has("keys"), has("room"), has("key_file"):
		d.livekit = append(d.livekit, t)
	case onlyTexts(t) && strings.Contains(strings.ToLower(filepath.Base(f.Name)), "key"):
		d.keyFiles = append(d.keyFiles, t)
	default:
		return false
	}
	return true
}

// onlyTexts reports whether t is a mapping whose values are all texts, like
// LiveKit's key file.
func onlyTexts(t tree) bool {
	for _, e := range t.entries() {
		if e.value.text() == "" {
			return false
		}
	}
	return len(t.entries()) > 0
}

// foci is the key in a well-known file whose value lists the services for
// calls.
const foci = "org.matrix.msc4143.rtc_foci"
