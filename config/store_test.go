package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestUsualStore checks where the service keeps leaves. If it keeps them in
// memory, and the operator did not choose that, there must be a warning.
func TestUsualStore(t *testing.T) {
	redis := vars{"LIVEKIT_REDIS_URL": "redis://redis:6379/0"}
	for name, test := range map[string]struct {
		set      vars
		writable bool
		want     config.Store
		warns    bool
	}{
		"a volume":          {vars{}, true, config.Store{Kind: config.StoreFile, Path: "/data/leaves.db"}, false},
		"no volume":         {vars{}, false, config.Store{Kind: config.StoreMemory}, true},
		"memory, named":     {vars{"LIVEKIT_STORE": "memory"}, false, config.Store{Kind: config.StoreMemory}, false},
		"delegation is off": {vars{"LIVEKIT_DELEGATION": "off"}, false, config.Store{Kind: config.StoreMemory}, false},
		"another file":      {vars{"LIVEKIT_STORE": "file:/leaves"}, false, config.Store{Kind: config.StoreFile, Path: "/leaves"}, false},
		"Redis":             {redis, false, config.Store{Kind: config.StoreRedis}, false},
		"Redis, volume":     {redis, true, config.Store{Kind: config.StoreRedis}, false},
		"Redis, named":      {redis.with(vars{"LIVEKIT_STORE": "redis"}), true, config.Store{Kind: config.StoreRedis}, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := minimal().with(test.set).input()
			in.DataWritable = test.writable
			c, warnings, err := config.Parse(in, disk{}.read)
			if err != nil || c.Store.Kind != test.want.Kind || c.Store.Path != test.want.Path {
				t.Errorf("%s: %v, %v, want %v", name, c.Store, err, test.want)
			}
			warned := len(warnings) == 1 && warnings[0].Variable == "LIVEKIT_STORE" && warnings[0].Kind == config.Forgetful && strings.Contains(warnings[0].Text, "mount a volume at /data")
			if warned != test.warns || len(warnings) > 1 {
				t.Errorf("%s: warnings %q, want one that says what to do: %t", name, warnings, test.warns)
			}
		})
	}
}

// TestFleetingStore checks that the service uses the file that LIVEKIT_STORE
// names. If a restart would lose the file, there must be a warning.
func TestFleetingStore(t *testing.T) {
	for name, test := range map[string]struct {
		set   vars
		place string // what Fleeting returns for the file's directory
		words string // "" for no warning
	}{
		"a volume":          {vars{"LIVEKIT_STORE": "file:/data/leaves.db"}, "", ""},
		"the layer":         {vars{"LIVEKIT_STORE": "file:/data/leaves.db"}, "it is like sand", "/data: it is like sand"},
		"a folder in it":    {vars{"LIVEKIT_STORE": "file:/data/x/leaves.db"}, "it is like sand", "/data/x: it is like sand"},
		"another folder":    {vars{"LIVEKIT_STORE": "file:/database/leaves.db"}, "it is like sand", ""},
		"unset":             {vars{}, "it is like sand", "/data: it is like sand"},
		"delegation is off": {vars{"LIVEKIT_STORE": "file:/data/leaves.db", "LIVEKIT_DELEGATION": "off"}, "it is like sand", ""},
		"memory":            {vars{"LIVEKIT_STORE": "memory"}, "it is like sand", ""},
		"Redis":             {vars{"LIVEKIT_REDIS_URL": "redis://redis:6379/0"}, "it is like sand", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := minimal().with(test.set).input()
			in.Fleeting = func(string) string { return test.place }
			_, warnings, err := config.Parse(in, disk{}.read)
			switch {
			case err != nil:
				t.Fatal(err)
			case test.words == "":
				if len(warnings) > 0 {
					t.Errorf("%v: got %q, want no warning", test.set, warnings)
				}
			case len(warnings) != 1 || warnings[0].Variable != "LIVEKIT_STORE" || warnings[0].Kind != config.Forgetful || !strings.Contains(warnings[0].Text, test.words):
				t.Errorf("%v: got %q, want one warning with %q", test.set, warnings, test.words)
			}
		})
	}
}

func TestRedisPasswordOfAFile(t *testing.T) {
	files := disk{"/pw": "\ufefffrom a file\r\n"}
	c, _, err := config.Parse(minimal().with(vars{
		"LIVEKIT_REDIS_URL": "redis://:a@redis", "LIVEKIT_REDIS_PASSWORD": "b", "LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/pw",
	}).input(), files.read)
	if err != nil || c.Store.RedisPassword.Reveal() != "from a file" || c.Store.RedisURL.Server().Password != "a" {
		t.Errorf("got the password %q, the URL %q, %v, want that from the file, and the URL's own beside it", c.Store.RedisPassword.Reveal(), c.Store.RedisURL, err)
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if !config.Writable(dir) {
		t.Error("Writable of a directory of ours: got false, want true")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("after that: got %v in it (%v), want nothing", left, err)
	}
	if config.Writable(filepath.Join(dir, "absent")) || config.Writable(write(t, "a file")) {
		t.Error("Writable of what is no directory: got true, want false")
	}
	if os.Getuid() == 0 {
		return // permissions do not stop root
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if config.Writable(dir) {
		t.Error("Writable of a directory of others: got true, want false")
	}
}
