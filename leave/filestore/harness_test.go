package filestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/clock/clocktest"
	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// begin is when the service has accepted the jobs of the tests.
var begin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// job returns the n-th test job. Calls with the same n return equal jobs.
func job(tb testing.TB, n int) leave.Job {
	tb.Helper()
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		tb.Fatal(err)
	}
	id, err := matrix.ParseDelayID(fmt.Sprint("d", n))
	if err != nil {
		tb.Fatal(err)
	}
	key := leave.Key{Room: sfu.Room(fmt.Sprint("room", n%7)), Identity: sfu.Identity(fmt.Sprint("identity", n))}
	return leave.New(key, user, id, time.Hour, begin)
}

// place holds the path of a test's file, the machine that the file is on, and the log
// of the store.
type place struct {
	path    string
	machine *clocktest.Machine
	log     *logtest.Log
}

func newPlace(tb testing.TB) place {
	return place{filepath.Join(tb.TempDir(), "leaves.db"), newMachine(), &logtest.Log{}}
}

// newMachine returns a machine whose wall clock shows a minute after begin.
func newMachine() *clocktest.Machine {
	var m clocktest.Machine
	m.Set(time.Until(begin) + time.Minute)
	return &m
}

// open opens a store at the path of p on the disk d. The store is closed when the test
// ends.
func (p place) open(tb testing.TB, d disk, spare int64) *Store {
	tb.Helper()
	s, err := open(context.Background(), p.path, p.machine.Clock(), p.log.Logger(), d, spare)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func (p place) read(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile(p.path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (p place) write(tb testing.TB, b []byte) {
	tb.Helper()
	if err := os.WriteFile(p.path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// aside returns the names of the damaged files that stores have renamed and kept.
func (p place) aside(tb testing.TB) []string {
	tb.Helper()
	names, err := filepath.Glob(p.path + ".corrupt-*")
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func put(tb testing.TB, s *Store, n int) {
	tb.Helper()
	if _, err := s.Put(context.Background(), job(tb, n)); err != nil {
		tb.Errorf("Put: got %v, want no error", err)
	}
}

// change saves the n-th test job with a new session. If end is true, it deletes the job
// instead.
func change(tb testing.TB, s *Store, n int, end bool) {
	tb.Helper()
	j, err := s.Get(context.Background(), job(tb, n).Key)
	switch {
	case err != nil:
	case end:
		err = s.Delete(context.Background(), j)
	default:
		_, err = s.Save(context.Background(), j.Joined(begin.Add(time.Second), fmt.Sprint("PA_", j.Version)))
	}
	if err != nil {
		tb.Errorf("changing job %d: got %v, want no error", n, err)
	}
}

// jobs returns the jobs in m as JSON texts, sorted. It leaves out the values that
// another process does not need: versions, leases, and when actions are due.
func jobs(tb testing.TB, m *memory) []string {
	tb.Helper()
	var all []string
	for _, key := range m.Keys() {
		j, err := m.Get(context.Background(), key)
		if err != nil {
			tb.Fatal(err)
		}
		j.Version = 0
		b, err := json.Marshal(j.Resumed(begin))
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, string(b))
	}
	slices.Sort(all)
	return all
}

func wantJobs(tb testing.TB, s *Store, want []string) {
	tb.Helper()
	if got := jobs(tb, s.memory); !slices.Equal(got, want) {
		tb.Errorf("the store holds %d jobs:\n%s\nwant %d:\n%s", len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
	}
}

// ids returns the numbers of the test jobs that s holds.
func ids(tb testing.TB, s *Store) (got []int) {
	tb.Helper()
	for _, key := range s.Keys() {
		var n int
		if _, err := fmt.Sscanf(string(key.Identity), "identity%d", &n); err != nil {
			tb.Fatal(err)
		}
		got = append(got, n)
	}
	slices.Sort(got)
	return got
}

func wantIDs(tb testing.TB, s *Store, want ...int) {
	tb.Helper()
	if got := ids(tb, s); !slices.Equal(got, want) {
		tb.Errorf("the store holds the jobs %d, want %d", got, want)
	}
}

// faultDisk calls fault before each operation. If fault returns an error, the operation
// fails with this error. A failed write has written half of its bytes. If fault returns
// errSkip for a sync, the disk reports success without a sync.
type faultDisk struct {
	osDisk
	fault func(op, name string) error
}

var errSkip = errors.New("skipped")

// fast is a disk that never syncs.
var fast = faultDisk{fault: func(op, _ string) error {
	if strings.HasPrefix(op, "sync") {
		return errSkip
	}
	return nil
}}

type faultFile struct {
	file
	name string
	disk faultDisk
}

func (d faultDisk) create(name string) (file, error) {
	if err := d.fault("create", name); err != nil {
		return nil, err
	}
	f, err := d.osDisk.create(name)
	return faultFile{f, name, d}, err
}

func (d faultDisk) extend(name string) (file, error) {
	if err := d.fault("extend", name); err != nil {
		return nil, err
	}
	f, err := d.osDisk.extend(name)
	return faultFile{f, name, d}, err
}

func (d faultDisk) rename(from, to string) error {
	if err := d.fault("rename", from); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

func (d faultDisk) remove(name string) error {
	if err := d.fault("remove", name); err != nil {
		return err
	}
	return d.osDisk.remove(name)
}

func (d faultDisk) syncDir(name string) error {
	if err := d.fault("syncdir", name); err == errSkip {
		return nil
	} else if err != nil {
		return err
	}
	return d.osDisk.syncDir(name)
}

func (f faultFile) Write(b []byte) (int, error) {
	if err := f.disk.fault("write", f.name); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f faultFile) Sync() error {
	if err := f.disk.fault("sync", f.name); err == errSkip {
		return nil
	} else if err != nil {
		return err
	}
	return f.file.Sync()
}
