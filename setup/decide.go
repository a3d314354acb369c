package setup

import (
	"fmt"
	"io/fs"
)

// outcome says what setup does with a file.
type outcome int

const (
	created   outcome = iota // setup creates the file, which does not exist yet
	unchanged                // the file already has setup's content
	joined                   // a person edited the file, and setup changes only its own lines in it
	yours                    // a person edited the file, and setup has nothing new to write into it
	updated                  // nobody edited the file since setup wrote it, and setup replaces it
	kept                     // a person edited the file, and setup keeps it and writes the new content as NAME.new
	replaced                 // a person edited the file, and --force lets setup replace it
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

// join merges setup's content, line by line, into a file that a person edited.
// It stores the result in s.
func (s *step) join(f file) (err error) {
	s.outcome = joined
	s.result, err = f.merge(s.old, f.content)
	return err
}

// decideEdited decides whether setup writes its content as NAME.new beside a
// file that a person edited. setup writes no NAME.new if an earlier run wrote
// the same content into the file, or into a NAME.new that a person has removed.
//
// With --force, setup does not call decideEdited. It saves the edited file as
// NAME.bak, and replaces the file.
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

// closed returns the permissions of livekit.yaml if they do not let every user
// read the file. The user of the service's container may then be unable to read
// it. Otherwise, and for any other file, closed returns zero.
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

// decideBeside decides what to do with an existing NAME.new beside the file.
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

// backupName returns a name for the backup of a file's old content. No file has
// this name yet, or the file with this name has the same content.
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
	return "", fmt.Errorf("%s%s%d exists already, and setup keeps no more backups than that: remove old ones", name, backupSuffix, mostBackups)
}

// refuseHalfRenewed returns an error if only some files would get the new
// secrets. This happens if setup makes new secrets, but keeps a secret file
// that a person edited. The next run would then find two different secrets.
func (u *update) refuseHalfRenewed(renewed bool) error {
	for _, s := range u.steps {
		if renewed && s.secret && (s.outcome == kept || s.outcome == yours) {
			return fmt.Errorf("%s was edited, so --new-secrets does not replace it: add --force, which saves the edited file as %[1]s%s", s.name, backupSuffix)
		}
	}
	return nil
}
