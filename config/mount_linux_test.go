package config_test

import (
	"testing"

	"matrixrtc-auth/config"
)

// TestMountOf: a directory is on a volume also when that comes from the device
// of the root, as bind mounts do.
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
			if got := config.MountOf(test.dir, test.table); got != test.want {
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
