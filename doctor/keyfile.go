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

// keyFile is the file that key_file in livekit.yaml names. If there is one,
// LiveKit accepts only the keys in it.
type keyFile struct {
	name   string // the path of the file; "" if livekit.yaml names none
	unread string // why it cannot be read here, "" if it was read
	fault  string // why LiveKit reads no keys from it, "" if it does
	keys   map[string]string
}

// readKeyFile reads the key file, if it has the same path here as in LiveKit's
// container.
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

// isPlainPath reports whether LiveKit uses the path of its key file unchanged.
// LiveKit replaces variables and ~ in such a path.
func isPlainPath(name string) bool { return path.IsAbs(name) && !strings.Contains(name, "$") }

// parseKeys parses keys as LiveKit does: it reads only the first document,
// which must map keys to secrets.
func parseKeys(text []byte) (keys map[string]string, fault string) {
	if err := yaml.Unmarshal(text, &keys); err != nil {
		return nil, "it is no mapping of keys to secrets (" + lineOf(err) + ")"
	}
	if len(keys) == 0 {
		return nil, "it holds no key"
	}
	return keys, ""
}

// effectiveKeys returns the keys that LiveKit takes from its files, and which
// file they are in.
func (c *livekitConfig) effectiveKeys() (keys map[string]string, where string) {
	if c.keyFile.name != "" {
		return c.keyFile.keys, c.keyFile.name
	}
	return c.Keys, "livekit.yaml"
}

// everySecret yields the secrets in both files (unused ones, too) and the
// password of Redis.
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

// secretFiles returns the files of which LiveKit refuses to start with open
// permissions.
func (c *livekitConfig) secretFiles() []string {
	list := []string{c.KeyFile}
	for _, server := range c.RTC.TURNServers {
		list = append(list, server.SecretFile)
	}
	return list
}

// openToOthers are the permissions with which LiveKit refuses a file of
// secrets.
const openToOthers fs.FileMode = 0o007

// judgeModes finds a file of secrets that others than its owner and group may
// read. It skips files that do not exist on this machine.
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
