package config_test

import (
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestMountOf checks that the program finds the volume of a directory, even if
// the volume is on the same device as "/", as with bind mounts.
func TestMountOf(t *testing.T) {
	const root = "22 1 0:40 / / rw - overlay overlay rw\n25 22 0:5 / /proc rw - proc proc rw\n"
	for name, test := range map[string]struct{ dir, table, want string }{
		"no volume":              {"/data", root, "/"},
		"a volume":               {"/data", root + "30 22 8:1 /var/lib/docker/volumes/x/_data /data rw - ext4 /dev/sda1 rw\n", "/data"},
		"from the root's device": {"/data", root + "30 22 0:40 /srv/leaves /data rw - overlay overlay rw\n", "/data"},
		"a volume above":         {"/mnt/disk/leaves", root + "30 22 8:1 / /mnt/disk rw - ext4 /dev/sda1 rw\n", "/mnt/disk"},
		"a similar name":         {"/data", root + "30 22 8:1 / /dat rw - ext4 /dev/sda1 rw\n31 22 8:1 / /data2 rw - ext4 /dev/sda1 rw\n", "/"},
		"below, not above":       {"/data", root + "30 22 8:1 / /data/old rw - ext4 /dev/sda1 rw\n", "/"},
		"a name with a space":    {"/my data", root + `30 22 8:1 / /my\040data rw - ext4 /dev/sda1 rw` + "\n", "/my data"},
		"no table":               {"/data", "", "/"},
		"lines cut off":          {"/data", "22 1 0:40\n\n30 22 8:1 / /data\n", "/data"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := config.MountOf(test.dir, test.table); got != test.want {
				t.Errorf("%s is on %q, want %q", test.dir, got, test.want)
			}
		})
	}
}

func TestMounted(t *testing.T) {
	for dir, want := range map[string]bool{"/": false, "/proc": true, "/nowhere/at/all": false} {
		t.Run(dir, func(t *testing.T) {
			if got := config.Mounted(dir); got != want {
				t.Errorf("Mounted(%s) is %t, want %t", dir, got, want)
			}
		})
	}
}

// TestFleeting checks the reasons why a restart loses files in a container's
// own layer, and files in memory.
func TestFleeting(t *testing.T) {
	const layer = "22 1 0:40 / / rw - overlay overlay rw\n"
	const memory = layer + "30 22 0:41 / /data rw,nosuid shared:5 - tmpfs tmpfs rw,size=64k\n"
	const disk = layer + "30 22 8:1 / /data rw - ext4 /dev/sda1 rw\n"
	for name, test := range map[string]struct {
		table string
		boxed bool
		want  string // "" if no restart loses the files
	}{
		"a volume":                     {disk, true, ""},
		"the layer":                    {layer, true, "the container's own layer"},
		"the root of a machine":        {layer, false, ""},
		"memory":                       {memory, true, "in memory (tmpfs)"},
		"memory of a machine":          {memory, false, "in memory (tmpfs)"},
		"a volume that covers another": {memory + "31 30 8:1 / /data rw - ext4 /dev/sda1 rw\n", true, ""},
		"memory that covers a volume":  {disk + "31 30 0:41 / /data rw - tmpfs tmpfs rw\n", true, "in memory (tmpfs)"},
		"no table":                     {"", false, ""},
		"a line cut off":               {layer + "30 22 8:1 / /data rw", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := config.FleetingBy("/data", test.table, test.boxed)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("in a container %t, with the table %q: got %q, want %q in it", test.boxed, test.table, got, test.want)
			}
		})
	}
	if got := config.Fleeting("/nowhere/at/all", true); got != "" {
		t.Errorf("a directory that is not there: got %q, want nothing", got)
	}
}
