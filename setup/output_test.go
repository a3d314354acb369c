package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// fullDisk is a writer with room for this number of bytes. When the room is
// used up, it fails.
type fullDisk int

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(int(*d), len(p))
	*d -= fullDisk(n)
	if n < len(p) {
		return n, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
	}
	return n, nil
}

// TestOutputIsLost checks that setup fails if its output cannot be written,
// because the remaining tasks would be lost.
func TestOutputIsLost(t *testing.T) {
	for _, room := range []fullDisk{0, 100} {
		t.Run(fmt.Sprintf("place for %d bytes", room), func(t *testing.T) {
			l := newLab(t)
			for _, args := range [][]string{{"--help"}, slices.Concat(names, []string{"--dir", l.dir})} {
				var faults bytes.Buffer
				disk := room
				got := execute(t.Context(), args, streams{In: strings.NewReader(""), Out: &disk, Err: &faults})
				if got != exitUsage || !strings.Contains(faults.String(), "output cannot be written: "+syscall.ENOSPC.Error()) {
					t.Errorf("%q: got the exit code %d, want %d and that the output cannot be written:\n%s", args, got, exitUsage, faults.String())
				}
			}
			l.run(exitOK)
			l.says(l.out, "livekit.yaml", "unchanged")
		})
	}
	refused := &output{to: new(fullDisk)}
	if _, err := refused.Write([]byte("a")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write on a full disk: got error %v, want %v", err, syscall.ENOSPC)
	}
}
