package config_test

import (
	"io/fs"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestDenied checks the text of a [config.Denied]. The text depends on the user and
// the groups of the process, and on the file's owner, group and mode.
func TestDenied(t *testing.T) {
	for name, test := range map[string]struct {
		denied config.Denied
		want   string
	}{
		"root's": {
			config.Denied{UID: 65532, GIDs: []int{65532}, OwnerKnown: true, Mode: 0o600},
			"(permission denied: it belongs to uid 0 and gid 0 with mode 0600, and this program runs as uid 65532 and gid 65532); " +
				"let the program's group read it: chgrp 65532 and chmod 0640, not more, because LiveKit refuses a key file that others can read",
		},
		"the group's, without a right": {
			config.Denied{UID: 65532, GIDs: []int{65532}, OwnerKnown: true, Owner: 0, Group: 65532, Mode: 0o600},
			"chgrp 65532 and chmod 0640",
		},
		"a folder": {
			config.Denied{UID: 65532, GIDs: []int{65532}, OwnerKnown: true, Owner: 1000, Group: 1000, Mode: fs.ModeDir | 0o700, Folder: true},
			"(permission denied: a folder on the way to it belongs to uid 1000 and gid 1000 with mode 0700, and this program runs as uid 65532 and gid 65532); " +
				"let the program's group pass: chgrp 65532 and chmod 0750 on that folder",
		},
		"a mode that allows it, by others": {
			config.Denied{UID: 65532, GIDs: []int{65532}, OwnerKnown: true, Mode: 0o644},
			"its mode lets the program read it, so an access list (ACL) or SELinux does not: look there",
		},
		"a mode that allows it, by a further group": {
			config.Denied{UID: 65532, GIDs: []int{65532, 2000}, OwnerKnown: true, Group: 2000, Mode: 0o440},
			"an access list (ACL) or SELinux",
		},
		"a mode that allows it, to the owner": {
			config.Denied{UID: 1000, GIDs: []int{1000}, OwnerKnown: true, Owner: 1000, Mode: 0o400},
			"an access list (ACL) or SELinux",
		},
		"not the owner's right": { // the rights of others do not count for the owner
			config.Denied{UID: 1000, GIDs: []int{1000}, OwnerKnown: true, Owner: 1000, Mode: 0o044},
			"chgrp 1000 and chmod 0640",
		},
		"nothing known": {
			config.Denied{UID: 65532, GIDs: []int{65532}},
			"(permission denied: this program runs as uid 65532 and gid 65532); let the program's group read it: chgrp 65532 and chmod 0640",
		},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(name string) ([]byte, error) {
				return nil, &fs.PathError{Op: "open", Path: name, Err: &test.denied}
			}
			_, _, err := config.Parse(minimal().with(vars{"LIVEKIT_KEY_FILE": "/keys.yaml"}).input(), read)
			if list := faults(t, err); len(list) != 1 || list[0].Variable != "LIVEKIT_KEY_FILE" || !strings.Contains(list[0].Problem, test.want) {
				t.Errorf("got  %v\nwant one fault with %q", err, test.want)
			}
		})
	}
}
