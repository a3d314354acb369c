package filestore

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"matrixrtc-auth/internal/logtest"
)

// powerDisk is a disk whose power fails. The field left is how many operations the disk
// still does before the power fails. Data that was not synced before the failure may be
// on the disk after it, or may be lost.
type powerDisk struct {
	osDisk
	left  int
	files map[string]*powerFile
	undo  func() error // undoes the last rename; nil if the disk has synced that rename
}

type powerFile struct {
	file
	disk         *powerDisk
	size, synced int64
}

var errPower = errors.New("no power")

func (d *powerDisk) power() bool {
	d.left--
	return d.left >= 0
}

func (d *powerDisk) opened(name string, f file, size int64, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	d.files[name] = &powerFile{f, d, size, size}
	return d.files[name], nil
}

func (d *powerDisk) create(name string) (file, error) {
	if !d.power() {
		return nil, errPower
	}
	f, err := d.osDisk.create(name)
	return d.opened(name, f, 0, err)
}

func (d *powerDisk) extend(name string) (file, error) {
	info, err := os.Stat(name)
	if err != nil || !d.power() {
		return nil, errors.Join(err, errPower)
	}
	f, err := d.osDisk.extend(name)
	return d.opened(name, f, info.Size(), err)
}

func (d *powerDisk) rename(from, to string) error {
	if !d.power() {
		return errPower
	}
	old, readErr := os.ReadFile(to)
	d.undo = func() error {
		d.files[from] = d.files[to]
		delete(d.files, to)
		err := os.Rename(to, from)
		if readErr == nil {
			err = errors.Join(err, os.WriteFile(to, old, 0o600))
		}
		return err
	}
	d.files[to] = d.files[from]
	delete(d.files, from)
	return d.osDisk.rename(from, to)
}

func (d *powerDisk) remove(name string) error {
	if !d.power() {
		return errPower
	}
	delete(d.files, name)
	return d.osDisk.remove(name)
}

func (d *powerDisk) syncDir(string) error {
	if !d.power() {
		return errPower
	}
	d.undo = nil
	return nil
}

func (f *powerFile) Write(b []byte) (int, error) {
	if !f.disk.power() {
		b = b[:len(b)/2]
	}
	n, err := f.file.Write(b)
	f.size += int64(n)
	if f.disk.left < 0 {
		err = errPower
	}
	return n, err
}

func (f *powerFile) Sync() error {
	if !f.disk.power() {
		return errPower
	}
	f.synced = f.size
	return nil
}

// lose removes all data that was not synced, as a power failure can do.
func (d *powerDisk) lose() error {
	var errs []error
	for name, f := range d.files {
		errs = append(errs, os.Truncate(name, f.synced))
	}
	if d.undo != nil {
		errs = append(errs, d.undo())
	}
	return errors.Join(errs...)
}

// TestPowerGoes makes the power fail during each operation of the disk. Meanwhile the
// store replaces its file all the time. After the failure, the file must have all
// acknowledged writes, and must not be damaged.
func TestPowerGoes(t *testing.T) {
	for _, lose := range []bool{true, false} {
		done := false
		for left := 0; !done; left++ {
			t.Run(fmt.Sprint(lose, left), func(t *testing.T) {
				d := &powerDisk{left: left, files: map[string]*powerFile{}}
				p := newPlace(t)
				s := p.open(t, d, always)
				var acknowledged []string
				acknowledged, done = work(t, s)
				begun := jobs(t, s.memory)
				s.Close()
				if lose {
					if err := d.lose(); err != nil {
						t.Fatal(err)
					}
				}
				p.log = &logtest.Log{}
				s = p.open(t, osDisk{}, spare)
				if got := jobs(t, s.memory); !slices.Equal(got, acknowledged) && !slices.Equal(got, begun) {
					t.Errorf("after the power failure: got the jobs %q, want the acknowledged %q, or %q with the last write", got, acknowledged, begun)
				}
				if len(p.aside(t)) > 0 || p.log.Has("level=ERROR") {
					t.Errorf("log: got %s, want no damage", p.log.String())
				}
			})
		}
	}
}

// TestNameIsMadeToLast checks that Open syncs the directory of the file. An earlier
// process may have been killed after it renamed the file and before it synced the
// directory. Without the sync in Open, a crash of the machine could undo the rename.
func TestNameIsMadeToLast(t *testing.T) {
	p := newPlace(t)
	p.open(t, osDisk{}, spare).Close()
	var ops []string
	s := p.open(t, faultDisk{fault: func(op, _ string) error {
		ops = append(ops, op)
		return nil
	}}, spare)
	if !slices.Contains(ops, "syncdir") || slices.Contains(ops, "write") {
		t.Errorf("opening: got %q, want syncdir and no write", ops)
	}
	s.Close()
}

// work makes up to 20 writes, and stops when one fails. It returns the jobs after the
// last acknowledged write. done reports whether all writes succeeded.
func work(t *testing.T, s *Store) (acknowledged []string, done bool) {
	for n := range 20 {
		j := job(t, n%5)
		stored, err := s.Get(t.Context(), j.Key)
		switch {
		case err != nil:
			_, err = s.Put(t.Context(), j)
		case n%3 == 0:
			err = s.Delete(t.Context(), stored)
		default:
			_, err = s.Save(t.Context(), stored.Joined(begin, fmt.Sprint("PA_", n)))
		}
		if err != nil {
			return acknowledged, false
		}
		acknowledged = jobs(t, s.memory)
	}
	return acknowledged, true
}
