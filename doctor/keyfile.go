package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"strings"

	"matrixrtc-auth/doctor/engine"

	"go.yaml.in/yaml/v3"
)

// keyFile is the file that the setting key_file of livekit.yaml names. If the
// setting is there, LiveKit accepts only the keys in this file.
type keyFile struct {
	name   string // the file's path; "" if livekit.yaml names none
	unread string // why doctor cannot read the file here; "" if doctor has read it
	fault  string // why LiveKit gets no keys from the file; "" if LiveKit gets keys
	keys   map[string]string
}

// readKeyFile reads the key file. This is possible if the file has the same
// path here as in LiveKit's container.
func (l *Look) readKeyFile(name string) keyFile {
	f := keyFile{name: name}
	if name == "" {
		return f
	}
	if !isPlainPath(name) {
		f.unread = "its path depends on LiveKit's environment or working directory"
		return f
	}
	text, err := l.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.unread = "it is not in this container"
	case err != nil:
		f.unread = whyUnread(err)
	default:
		f.keys, f.fault = parseKeys(text)
	}
	return f
}

// isPlainPath reports whether LiveKit takes the path as it is written. In the
// path of its key file, LiveKit replaces variables and ~.
func isPlainPath(name string) bool { return path.IsAbs(name) && !strings.Contains(name, "$") }

// parseKeys parses a key file as LiveKit does: it reads only the first YAML
// document, which must be a mapping from keys to secrets.
func parseKeys(text []byte) (keys map[string]string, fault string) {
	if err := yaml.Unmarshal(text, &keys); err != nil {
		return nil, "it is no mapping of keys to secrets (" + lineOf(err) + ")"
	}
	if len(keys) == 0 {
		return nil, "it holds no key"
	}
	return keys, ""
}

// effectiveKeys returns the keys that LiveKit takes from its files, and the
// name of the file that has them.
func (c *livekitConfig) effectiveKeys() (keys map[string]string, where string) {
	if c.keyFile.name != "" {
		return c.keyFile.keys, c.keyFile.name
	}
	return c.Keys, "livekit.yaml"
}

// everySecret yields all secrets in livekit.yaml and in the key file, also
// unused ones, and the password of Redis.
func (c *livekitConfig) everySecret() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, keys := range []map[string]string{c.Keys, c.keyFile.keys, {"": c.Redis.Password}} {
			for _, text := range keys {
				if !yield(text) {
					return
				}
			}
		}
	}
}

// secretFiles returns the files with secrets. LiveKit does not start if other
// users may read one of them.
func (c *livekitConfig) secretFiles() []string {
	list := []string{c.KeyFile}
	for _, server := range c.RTC.TURNServers {
		list = append(list, server.SecretFile)
	}
	return list
}

// openToOthers are permissions of a file. LiveKit does not start if a file of
// secrets has one of them.
const openToOthers fs.FileMode = 0o007

// judgeModes returns a finding if other users than the owner and the group can
// read a file with secrets. It skips files that this machine does not have.
func (e livekitFile) judgeModes(c *livekitConfig) engine.Finding {
	for _, name := range c.secretFiles() {
		info, err := e.look.Stat(name)
		if err != nil || !isPlainPath(name) || info.Mode()&openToOthers == 0 {
			continue
		}
		return found("livekit-secret-file-open", engine.Vars{"file": clip(name), "group": fmt.Sprint(e.look.Group)}, "%s has the mode %04o", clip(name), info.Mode().Perm())
	}
	return engine.Finding{}
}
