//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memoryLimit bounds the memory of the service's control group (cgroup), in
// bytes.
const memoryLimit = 200 << 20

// group is a memory control group of Linux, of version 1 or 2.
type group struct {
	dir   string
	peak  string // the file with the peak memory of the group
	kills string // the file whose line "oom_kill N" says how many processes the kernel killed
}

// newGroup creates a control group whose memory is limited to limit bytes. It
// tries the mounted cgroup hierarchies in turn, and uses the first one in which
// it can create the group.
func newGroup(limit int) (*group, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	reasons := []error{errors.New("this machine has no memory control groups, which hostile needs; enable the memory controller in the kernel")}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		var g *group
		switch root := fields[4]; {
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",memory,"):
			g, err = makeGroup(root, limit, []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}, "memory.max_usage_in_bytes", "memory.oom_control")
		case kind[0] == "cgroup2" && hasMemory(root):
			g, err = makeGroup(root, limit, []string{"memory.max"}, "memory.peak", "memory.events")
		default:
			continue
		}
		if err == nil {
			return g, nil
		}
		reasons = append(reasons, err)
	}
	return nil, errors.Join(reasons...)
}

// hasMemory enables the memory controller for groups below root, the folder of
// a version 2 hierarchy. It reports whether that succeeded.
func hasMemory(root string) bool {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil || !strings.Contains(" "+strings.TrimSpace(string(controllers))+" ", " memory ") {
		return false
	}
	return os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory"), 0o644) == nil
}

// makeGroup creates a control group below the folder root. Then it writes limit
// into each file that limits names. The first of these files must exist. The
// other files exist only on a machine with swap.
func makeGroup(root string, limit int, limits []string, peak, kills string) (*group, error) {
	g := &group{dir: filepath.Join(root, fmt.Sprintf("matrixrtc-auth-hostile-%d", os.Getpid()))}
	g.peak, g.kills = filepath.Join(g.dir, peak), filepath.Join(g.dir, kills)
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	for i, file := range limits {
		err := os.WriteFile(filepath.Join(g.dir, file), []byte(strconv.Itoa(limit)), 0o644)
		if err != nil && i == 0 {
			g.remove()
			return nil, err
		}
	}
	return g, nil
}

// procs returns the path of the group's file of process ids. A process joins
// the group when its id is written into this file.
func (g *group) procs() string { return filepath.Join(g.dir, "cgroup.procs") }

// most returns the peak memory of the group, including memory that the kernel
// used.
func (g *group) most() (bytesOf, error) {
	text, err := os.ReadFile(g.peak)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return bytesOf(n), err
}

// killed reports whether the kernel killed a process of the group because of
// its memory.
func (g *group) killed() (bool, error) {
	text, err := os.ReadFile(g.kills)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(text)) {
		if n, found := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); found {
			return n != "0", nil
		}
	}
	return false, fmt.Errorf("%s has no line that counts killed processes", g.kills)
}

// remove removes the group after its processes have ended. It retries for a
// moment, because the kernel may notice late that the processes have ended.
func (g *group) remove() {
	for range 50 {
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "hostile: this control group could not be removed:", g.dir)
}
