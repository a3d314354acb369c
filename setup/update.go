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

// mostBackups is the largest number of backups that setup keeps of one file.
const mostBackups = 99

// step says what setup does with one file.
type step struct {
	file
	outcome
	old      string // the file's content before the run
	result   merged // the merged content, if setup merges the file
	backup   string // the name under which setup saves the old content
	leftover bool   // NAME.new exists, a person edited it, and this run does not write it
	beside   bool   // NAME.new exists with setup's new content
	stale    bool   // NAME.new exists from an earlier run and is no longer needed

	// closed are the permissions of livekit.yaml if setup keeps it and the
	// container's user cannot read it; else zero.
	closed fs.FileMode

	// edited is the content of NAME.new if a person edited it and this run
	// replaces it; else "". editedBackup is the name under which setup saves
	// that content.
	edited, editedBackup string
}

// update is the work of a run. It first decides about every file, and then
// changes the files.
type update struct {
	dir    *folder
	sums   sums
	halted bool // whether the last run was interrupted while it wrote files
	steps  []step
	unused []string // files that an earlier run wrote and that this deployment does not need
}

// newUpdate decides what to do with each of files. With force it also replaces
// files that a person edited.
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

// add decides what to do with f, and adds the step.
func (u *update) add(f file, force bool) error {
	s, err := u.decide(f, force)
	u.steps = append(u.steps, s)
	return err
}

// text returns the content that the step writes.
func (s step) text() string {
	switch s.outcome {
	case joined:
		return s.result.text
	case created:
		return s.content + s.own
	}
	return s.content
}

// writes reports whether the step writes the file or NAME.new.
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
	current := map[string]bool{stepsFile: true} // setup writes stepsFile too, but it is not in files yet
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

// apply carries out the steps until one fails, and records what it wrote.
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

// announce records the checksums of the new contents before setup writes the
// files. If the run is killed, the next run then recognizes these files as
// setup's.
func (u *update) announce() error {
	planned := maps.Clone(u.sums)
	for _, s := range u.steps {
		if s.writes() && s.outcome != joined {
			planned[s.name+newSuffix] = sumOf(s.content)
		}
		if s.name == envFile && s.outcome != created {
			planned.dispute([]string{"LIVEKIT_KEY"}) // this entry tells a later run that .env had a key and its secret
		}
		if s.outcome == updated { // an interrupted run may have left this sum out of sumsFile
			planned[s.name] = sumOf(s.old)
		}
	}
	return u.dir.write(sumsFile, underWay+planned.String(), 0o644)
}

// removeHalves removes the temporary files that killed runs have left.
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

// changes reports whether the run writes or removes a file.
func (u *update) changes() bool {
	return slices.ContainsFunc(u.steps, func(s step) bool { return s.writes() || s.stale })
}

// changesOld reports whether the run replaces an existing file, whose old
// content running containers may still use.
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

// remember records in sums what the step wrote into the file called name. If
// setup merged the file, remember records only the values that setup wrote,
// because a person wrote the other lines.
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

// setRights sets the permissions of a file that this run does not write.
// setup's own files that hold no secret must be readable by the containers'
// users. An edited file may hold secrets, so setup adds no permission to it.
func (u *update) setRights(s step) error {
	switch {
	case s.outcome == unchanged && !s.secret:
		return u.dir.open(s.name, s.mode())
	case !s.writes() || s.outcome == kept:
		return u.dir.restrict(s.name, s.mode())
	}
	return nil
}

// save writes the backups of edited files before setup replaces the files. A
// backup gets no permission that the edited file lacks.
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

// copy makes a new file with the given content, which is also the content of an
// existing file. from is the name of the existing file, and to is the name of
// the new file. The new file gets no permission that the existing file lacks.
func (u *update) copy(from, to, content string, mode fs.FileMode) error {
	rights, err := u.dir.rights(from)
	if err != nil {
		return err
	}
	return u.dir.write(to, content, mode&rights)
}
