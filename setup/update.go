package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// outcome is what happens to a file.
type outcome int

const (
	created   outcome = iota // there was none
	unchanged                // it is already what it should be
	updated                  // setup wrote the old one
	kept                     // somebody edited it: the new one goes beside it
	replaced                 // somebody edited it, and is to be overruled
)

const (
	newSuffix    = ".new"
	backupSuffix = ".bak"
)

// mostBackups bounds how many old files are kept beside a file.
const mostBackups = 99

// step is what to do with one file.
type step struct {
	file
	outcome
	old    string // its content before
	backup string // the name that the old one gets
	stale  bool   // a NAME.new of an earlier run has no purpose any more

	// What a kept livekit.yaml allows, if the container's user cannot read it;
	// zero otherwise.
	closed fs.FileMode

	// A NAME.new that somebody edited and that is to be replaced, and the name
	// that it gets; empty when there is none.
	edited, editedBackup string
}

// update is a run's work: first all of it is decided, then done.
type update struct {
	dir    *folder
	sums   sums
	steps  []step
	unused []string // files of earlier runs that belong to nothing any more
}

// newUpdate decides what to do. force overrules those who edited files.
func newUpdate(dir *folder, files []file, force bool) (*update, error) {
	old, err := readSums(dir)
	if err != nil {
		return nil, err
	}
	u := &update{dir: dir, sums: old}
	for _, f := range files {
		s, err := u.decide(f, force)
		if err != nil {
			return nil, err
		}
		u.steps = append(u.steps, s)
	}
	return u, u.findUnused(files)
}

func (u *update) decide(f file, force bool) (step, error) {
	s := step{file: f}
	content, found, err := u.dir.read(f.name)
	if err != nil {
		return s, err
	}
	s.old = string(content)
	switch {
	case !found:
		s.outcome = created
	case s.old == f.content:
		s.outcome = unchanged
	case u.sums.wrote(f.name, s.old):
		s.outcome = updated
	case force:
		s.outcome = replaced
		s.backup, err = u.backupName(f.name, s.old)
	default:
		s.outcome = kept
		s.closed, err = u.closed(f.name)
	}
	if err != nil {
		return s, err
	}
	return s, u.decideBeside(&s)
}

// closed returns the rights of livekit.yaml if only some may read it. It is the
// one file that a container reads as a user of its own, without privileges.
func (u *update) closed(name string) (fs.FileMode, error) {
	if name != sfuFile {
		return 0, nil
	}
	rights, err := u.dir.rights(name)
	if rights&0o004 != 0 {
		return 0, err
	}
	return rights, err
}

// decideBeside decides what to do with a NAME.new that is there already.
func (u *update) decideBeside(s *step) error {
	name := s.name + newSuffix
	content, found, err := u.dir.read(name)
	if err != nil || !found {
		return err
	}
	beside := string(content)
	ours := u.sums[name] == sumOf(beside)
	s.stale = ours && s.outcome != kept
	if ours || s.outcome != kept || beside == s.content {
		return nil
	}
	s.edited = beside
	s.editedBackup, err = u.backupName(name, beside)
	return err
}

// backupName finds a name for the old file that costs no other old file.
func (u *update) backupName(name, content string) (string, error) {
	for i := 1; i <= mostBackups; i++ {
		backup := name + backupSuffix
		if i > 1 {
			backup += fmt.Sprint(i)
		}
		old, found, err := u.dir.read(backup)
		if err != nil {
			return "", err
		}
		if !found || string(old) == content {
			return backup, nil
		}
	}
	return "", fmt.Errorf("%s%s%d is there already: remove old ones", name, backupSuffix, mostBackups)
}

func (u *update) findUnused(files []file) error {
	current := map[string]bool{}
	for _, f := range files {
		current[f.name] = true
	}
	for name := range u.sums {
		if current[strings.TrimSuffix(name, newSuffix)] {
			continue
		}
		_, found, err := u.dir.read(name)
		if err != nil {
			return err
		}
		if found {
			u.unused = append(u.unused, name)
		} else {
			delete(u.sums, name)
		}
	}
	return nil
}

// apply does what was decided, up to the first error, and remembers what it
// wrote.
func (u *update) apply() (err error) {
	if err := errors.Join(u.removeHalves(), u.announce()); err != nil {
		return err
	}
	for _, s := range u.steps {
		if err = u.do(s); err != nil {
			break
		}
	}
	return errors.Join(err, u.dir.write(sumsFile, u.sums.String(), 0o644))
}

// announce remembers what is going to be written, so that it counts as setup's
// own should the run be killed.
func (u *update) announce() error {
	planned := maps.Clone(u.sums)
	for _, s := range u.steps {
		if s.outcome != unchanged {
			planned[s.name+newSuffix] = sumOf(s.content)
		}
		if s.outcome == updated { // it may be known by what an earlier run announced
			planned[s.name] = sumOf(s.old)
		}
	}
	return u.dir.write(sumsFile, planned.String(), 0o644)
}

// removeHalves removes what a killed run was writing.
func (u *update) removeHalves() error {
	names := []string{sumsFile}
	for _, s := range u.steps {
		names = append(names, s.name)
	}
	halves, err := u.dir.halves(names)
	for _, half := range halves {
		err = errors.Join(err, u.dir.remove(half))
	}
	return err
}

// has reports whether anything became of a file that is one of outcomes.
func (u *update) has(outcomes ...outcome) bool {
	return slices.ContainsFunc(u.steps, func(s step) bool { return slices.Contains(outcomes, s.outcome) })
}

func (u *update) do(s step) error {
	if err := errors.Join(u.setRights(s), u.save(s)); err != nil {
		return err
	}
	name := s.name
	if s.outcome == kept {
		name += newSuffix
	}
	if s.outcome != unchanged {
		if err := u.dir.write(name, s.content, s.mode()); err != nil {
			return err
		}
	}
	if s.outcome != kept {
		delete(u.sums, s.name+newSuffix)
	}
	u.sums[name] = sumOf(s.content)
	if !s.stale {
		return nil
	}
	return u.dir.remove(s.name + newSuffix)
}

// setRights sets the rights of a file that is not written anew. Containers run
// as other users, so they must be able to read what is setup's own and no
// secret. What somebody edited may hold secrets: it is not opened to anyone.
func (u *update) setRights(s step) error {
	switch {
	case s.outcome == unchanged && !s.secret:
		return u.dir.open(s.name, s.mode())
	case s.outcome == unchanged || s.outcome == kept:
		return u.dir.restrict(s.name, s.mode())
	}
	return nil
}

// save writes what somebody edited under its other name, before it is replaced.
// Nobody gets to read it who could not before.
func (u *update) save(s step) error {
	if s.outcome == replaced {
		if err := u.copy(s.name, s.backup, s.old, s.mode()); err != nil {
			return err
		}
	}
	if s.editedBackup == "" {
		return nil
	}
	return u.copy(s.name+newSuffix, s.editedBackup, s.edited, s.mode())
}

// copy writes the content of a file to another one, with at most its rights.
func (u *update) copy(from, to, content string, mode fs.FileMode) error {
	rights, err := u.dir.rights(from)
	if err != nil {
		return err
	}
	return u.dir.write(to, content, mode&rights)
}
