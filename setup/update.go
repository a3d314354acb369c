package setup

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

const (
	newSuffix    = ".new"
	backupSuffix = ".bak"
)

// mostBackups bounds how many backups of a file are kept.
const mostBackups = 99

// step says what setup does with one file.
type step struct {
	file
	outcome
	old      string // the content before the run
	result   merged // the result of merging a file that a person edited
	backup   string // the name under which the old file is saved
	leftover bool   // a person edited NAME.new, and this run writes none
	beside   bool   // NAME.new already exists with the new content
	stale    bool   // an earlier run's NAME.new is no longer needed

	// closed are the permissions of a kept livekit.yaml that the container's user
	// cannot read; zero if the user can.
	closed fs.FileMode

	// edited is the content of a NAME.new that a person edited and that this run
	// replaces. editedBackup is the name of its backup. Both are empty if there is
	// none.
	edited, editedBackup string
}

// update is the work of a run. It first decides about every file, and then
// changes the files.
type update struct {
	dir    *folder
	sums   sums
	halted bool // the last run was interrupted while it wrote files
	steps  []step
	unused []string // files of earlier runs that are no longer needed
}

// newUpdate decides what to do with every file. With force it also replaces
// edited files.
func newUpdate(dir *folder, files []file, force bool) (*update, error) {
	content, _, err := dir.read(sumsFile)
	if err != nil {
		return nil, err
	}
	u := &update{dir: dir, sums: parseSums(string(content)), halted: strings.HasPrefix(string(content), underWay)}
	for _, f := range files {
		if err := u.add(f, force); err != nil {
			return nil, err
		}
	}
	return u, u.findUnused(files)
}

// add decides about one more file, and adds the step.
func (u *update) add(f file, force bool) error {
	s, err := u.decide(f, force)
	u.steps = append(u.steps, s)
	return err
}

// text returns the content that the file gets.
func (s step) text() string {
	switch s.outcome {
	case joined:
		return s.result.text
	case created:
		return s.content + s.own
	}
	return s.content
}

// writes reports whether the step writes a file.
func (s step) writes() bool {
	switch s.outcome {
	case unchanged, yours:
		return false
	case joined:
		return s.result.text != s.old
	case kept:
		return !s.beside
	}
	return true
}

func (u *update) findUnused(files []file) error {
	current := map[string]bool{stepsFile: true} // the step for stepsFile is decided last
	for _, f := range files {
		current[f.name] = true
	}
	for name := range u.sums {
		if !isFile(name) {
			continue
		}
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

// apply carries out the steps up to the first error, and records what it wrote.
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

// announce records the sums of the files before they are written. So they count
// as setup's own if the run is killed.
func (u *update) announce() error {
	planned := maps.Clone(u.sums)
	for _, s := range u.steps {
		if s.writes() && s.outcome != joined {
			planned[s.name+newSuffix] = sumOf(s.content)
		}
		if s.name == envFile && s.outcome != created {
			planned.dispute([]string{"LIVEKIT_KEY"}) // a later run then knows that the key and its secret existed
		}
		if s.outcome == updated { // the old content may be known from the sums of an interrupted run
			planned[s.name] = sumOf(s.old)
		}
	}
	return u.dir.write(sumsFile, underWay+planned.String(), 0o644)
}

// removeHalves removes the half-written files of a killed run.
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

// changes reports whether a file was written or removed.
func (u *update) changes() bool {
	return slices.ContainsFunc(u.steps, func(s step) bool { return s.writes() || s.stale })
}

// changesOld reports whether an existing file was replaced. Running containers
// still use the old file.
func (u *update) changesOld() bool {
	return slices.ContainsFunc(u.steps, func(s step) bool { return s.writes() && s.outcome != created && s.outcome != kept })
}

func (u *update) do(s step) error {
	if err := errors.Join(u.setRights(s), u.save(s)); err != nil {
		return err
	}
	name := s.name
	if s.outcome == kept {
		name += newSuffix
	}
	if s.writes() {
		if err := u.dir.write(name, s.text(), s.mode()); err != nil {
			return err
		}
	}
	u.remember(s, name)
	if !s.stale {
		return nil
	}
	return u.dir.remove(s.name + newSuffix)
}

// remember records what was written as the file name. Of a merged file only
// setup's lines are recorded, because the file itself is not setup's own.
func (u *update) remember(s step, name string) {
	if s.outcome != kept {
		delete(u.sums, s.name+newSuffix)
	}
	if s.outcome != joined || s.text() == s.content {
		u.sums[name] = sumOf(s.content)
	}
	switch {
	case s.name != envFile:
	case s.outcome == joined:
		u.sums.note(s.content, s.result.settled)
		u.sums.dispute(s.result.conflicts)
	default:
		u.sums.note(s.content, envGrammar.names(s.content))
	}
}

// setRights sets the permissions of a file that is not written in this run.
// Containers run as other users, so they must be able to read setup's own files
// that are not secret. An edited file gets no additional permission, because it
// may hold secrets.
func (u *update) setRights(s step) error {
	switch {
	case s.outcome == unchanged && !s.secret:
		return u.dir.open(s.name, s.mode())
	case !s.writes() || s.outcome == kept:
		return u.dir.restrict(s.name, s.mode())
	}
	return nil
}

// save writes an edited file under its backup name before the file is replaced.
// It gives nobody new access.
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

// copy writes a file's content to another file, with at most the permissions of
// the first one.
func (u *update) copy(from, to, content string, mode fs.FileMode) error {
	rights, err := u.dir.rights(from)
	if err != nil {
		return err
	}
	return u.dir.write(to, content, mode&rights)
}
