package faults

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFullDisk checks a process that can no longer write to its file. The
// process must still issue tokens and accept leaves. When there is room again,
// it must write all leaves to the file.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	const delay = 18 * time.Second
	w := newWorld(t)
	s := w.start()
	w.mustEnter(5, "call", delay)
	limitFiles(t, s, fileSize(t, w.file())+100)
	w.mustEnter(5, "call", delay)
	await(t, waitTime, "that it is degraded", func() bool { return w.health(s) == "degraded" })
	w.mustAnswer("call")
	w.mustEnter(20, "call", delay)[0].leave(saidSo)
	w.awaitSent(waitTime)
	if !strings.Contains(s.text(), "level=ERROR") {
		t.Errorf("the log: got\n%s\nwant an error in it", s.lastLines())
	}
	w.hold(delay / 2)

	limitFiles(t, s, unix.RLIM_INFINITY)
	await(t, waitTime, "that it is well again", func() bool { return w.health(s) == "ok" })
	w.retire(s)
	s.kill()
	w.start()
	w.hold(delay + time.Second)
}

func fileSize(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(info.Size())
}

// limitFiles makes a write to a file fail if the file would become longer than
// size bytes. This holds only for the process s.
func limitFiles(t *testing.T, s *service, size uint64) {
	t.Helper()
	limit := unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}
