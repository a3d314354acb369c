package filestore

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// powerDisk is a disk whose power goes after some operations. What was not
// synced then may be there or not.
type powerDisk struct {
	osDisk
	left  int
	files map[string]*powerFile
	undo  func() error // takes a rename back that may not last
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

// lose takes away what was not synced.
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

// TestPowerGoes at every operation of the disk, the file being written anew all
// the time: what was acknowledged is there, and the file is never damaged.
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
				p.log = &logBuffer{}
				s = p.open(t, osDisk{}, spare)
				if got := jobs(t, s.memory); !slices.Equal(got, acknowledged) && !slices.Equal(got, begun) {
					t.Errorf("found %q, want %q, or %q", got, acknowledged, begun)
				}
				if len(p.aside(t)) > 0 || p.log.has("level=ERROR") {
					t.Errorf("log: got %s, want no damage", p.log.b.String())
				}
			})
		}
	}
}

// TestNameIsMadeToLast: a process that was killed may have renamed the file
// without a word to the disk.
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

// work writes until a write fails or nothing is left to do. It returns the jobs
// that were acknowledged.
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
