package setup

import (
	"fmt"
	"io/fs"
)

// outcome is what setup does with a file.
type outcome int

const (
	created   outcome = iota // setup creates the file
	unchanged                // the file is up to date
	joined                   // a person edited the file: setup changes its own lines and keeps theirs
	yours                    // a person edited the file, and setup has nothing new for it
	updated                  // setup replaces the file, which it had written
	kept                     // a person edited the file: setup writes the new one beside it
	replaced                 // a person edited the file, and --force replaces it
)

// decide decides what to do with a file. A file counts as edited by a person if
// its content is neither the new content nor what an earlier run wrote.
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
	case f.merge != nil:
		err = s.join(f)
	default:
		err = u.decideEdited(&s)
	}
	if err != nil {
		return s, err
	}
	return s, u.decideBeside(&s)
}

// join merges a file that a person edited with setup's content, line by line.
func (s *step) join(f file) (err error) {
	s.outcome = joined
	s.result, err = f.merge(s.old, f.content)
	return err
}

// decideEdited decides what to do with a file that a person edited. There is
// nothing to write if setup's new content is the one from which the person made
// the edited file, or if the person has removed the NAME.new with that content.
func (u *update) decideEdited(s *step) (err error) {
	s.outcome = kept
	sum := sumOf(s.content)
	_, beside, err := u.dir.read(s.name + newSuffix)
	if err != nil {
		return err
	}
	if u.sums[s.name] == sum || u.sums[s.name+newSuffix] == sum && !beside && !u.halted {
		s.outcome = yours
	}
	s.closed, err = u.closed(s.name)
	return err
}

// closed returns the permissions of livekit.yaml if not everybody may read the
// file, else zero. A container reads this file as an unprivileged user.
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

// decideBeside decides what to do with an existing NAME.new.
func (u *update) decideBeside(s *step) error {
	name := s.name + newSuffix
	content, found, err := u.dir.read(name)
	if err != nil || !found {
		return err
	}
	beside := string(content)
	ours := u.sums[name] == sumOf(beside)
	s.leftover = !ours && s.outcome != kept
	s.stale, s.beside = ours && s.outcome != kept, beside == s.content
	if ours || s.outcome != kept || beside == s.content {
		return nil
	}
	s.edited = beside
	s.editedBackup, err = u.backupName(name, beside)
	return err
}

// backupName returns a name that is free for a backup of the old file.
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
	return "", fmt.Errorf("%s%s%d exists already: remove old backups", name, backupSuffix, mostBackups)
}

// refuseHalfRenewed refuses to make new secrets if an edited file would keep an
// old secret, because the next run would find two different ones.
func (u *update) refuseHalfRenewed(renewed bool) error {
	for _, s := range u.steps {
		if renewed && s.secret && (s.outcome == kept || s.outcome == yours) {
			return fmt.Errorf("%s was edited, so new secrets are not written into it: give --force, too, which saves the edited file as %[1]s%s", s.name, backupSuffix)
		}
	}
	return nil
}
