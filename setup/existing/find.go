package existing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"matrixrtc-auth/internal/smallfile"
)

// The bounds on what [Open] reads.
const (
	biggest = smallfile.Limit // the largest number of bytes of a file, before and after its variables are replaced
	deepest = 6               // how many levels of folders Open searches
	most    = 200             // the largest number of files that Open reads from a folder
	passed  = 50_000          // the largest number of entries that a folder may have, with all its subfolders
)

// Open reads the files and folders in paths. In a folder it reads only files
// whose names may belong to a deployment; see mayBelong. It searches
// subfolders, up to six levels deep. It skips setup's own folder, which has the
// path own. It also reads the files that a compose file names, if they exist.
func Open(paths []string, own string) (*Deployment, error) {
	var files []File
	chosen := map[string]bool{} // the files that the parameter paths contains; for such a file, an unknown kind is an error
	for _, path := range paths {
		list, isFolder, err := open(path, own)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			chosen[f.Name] = chosen[f.Name] || !isFolder
			files = with(files, f)
		}
	}
	d, _ := Read(files)
	for _, path := range d.named() {
		if content, err := smallfile.Read(path); err == nil {
			files = with(files, File{path, content})
		}
	}
	d, faults := Read(files)
	faults = slices.DeleteFunc(faults, func(err error) bool {
		i := slices.IndexFunc(files, func(f File) bool { return strings.HasPrefix(err.Error(), f.Name+": ") })
		if i < 0 || chosen[files[i].Name] {
			return false
		}
		unknown := errors.Is(err, errUnknown)
		if !unknown && !mustBelong(files[i].Name) {
			d.unread = append(d.unread, Fact{strings.TrimPrefix(err.Error(), files[i].Name+": "), Place{File: files[i].Name}})
			return true
		}
		return unknown
	})
	if len(faults) == 0 && d.isEmpty() {
		faults = append(faults, fmt.Errorf("there is no file of a deployment in %s", strings.Join(paths, ", ")))
	}
	return d, errors.Join(faults...)
}

// The function with adds f to files, unless files already contains f.
func with(files []File, f File) []File {
	if slices.ContainsFunc(files, func(old File) bool { return old.Name == f.Name }) {
		return files
	}
	return append(files, f)
}

func (d *Deployment) isEmpty() bool {
	return len(d.livekit)+len(d.compose)+len(d.homeserver)+len(d.wellKnown)+len(d.env)+len(d.registration) == 0
}

// open reads the file at path. If path is a folder, open reads the files in the
// folder that may belong to a deployment. isFolder says whether path is a
// folder.
func open(path, own string) (files []File, isFolder bool, err error) {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		files, err = openFolder(path, own)
		return files, true, err
	}
	content, err := smallfile.Read(path)
	if err != nil {
		return nil, false, fmt.Errorf("%s cannot be read: %w", path, smallfile.Cause(err))
	}
	return []File{{path, content}}, false, nil
}

// openFolder reads the files in a folder whose names may belong to a
// deployment.
func openFolder(path, own string) (files []File, err error) {
	left := passed
	err = filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		below, _ := filepath.Rel(path, name)
		switch left--; {
		case err != nil:
			return nil // skip what cannot be read
		case left < 0:
			return fmt.Errorf("%s has more than %d files and folders: write the paths of the deployment's files instead", path, passed)
		case e.IsDir() && name != path && isSame(name, own):
			return fs.SkipDir
		case e.IsDir() && strings.Count(below, string(filepath.Separator)) >= deepest:
			return fs.SkipDir
		case !e.Type().IsRegular() || !mayBelong(name):
			return nil
		case len(files) == most:
			return fmt.Errorf("%s has more than %d files that may belong to a deployment: write the paths of those that do", path, most)
		}
		if content, err := smallfile.Read(name); err == nil {
			files = append(files, File{name, content})
		}
		return nil
	})
	return files, err
}

// isSame reports whether both paths are the same folder.
func isSame(a, b string) bool {
	one, err := os.Stat(a)
	other, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}

// mayBelong reports whether the file with this name may belong to a
// deployment.
func mayBelong(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	switch filepath.Ext(base) {
	case ".yaml", ".yml", ".json", ".env":
		return true
	}
	return base == "client" || strings.HasPrefix(base, ".env") && !strings.HasSuffix(base, ".example")
}

// mustBelong reports whether a file with this name surely belongs to a
// deployment. It is an error if setup cannot read such a file.
func mustBelong(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	return slices.ContainsFunc([]string{"livekit", "compose", "homeserver"}, func(part string) bool { return strings.Contains(base, part) })
}

// named returns the paths of the files to which the compose files refer.
func (d *Deployment) named() (paths []string) {
	for _, c := range d.compose {
		add := func(name string) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(c.file), name)
			}
			paths = append(paths, filepath.Clean(name))
		}
		add(".env")
		for _, s := range c.services {
			for _, f := range s.lost {
				add(f.Value)
			}
			for _, m := range s.mounts {
				source, _, _ := strings.Cut(m.Value, ":")
				if (s.isLiveKit() || s.isService()) && isYAML(source) {
					add(source)
				}
			}
		}
	}
	return paths
}

// Files returns the names of all files that setup has read.
func (d *Deployment) Files() (names []string) {
	for _, list := range [][]tree{d.livekit, d.homeserver, d.wellKnown, d.keyFiles} {
		for _, t := range list {
			names = append(names, t.file)
		}
	}
	for _, c := range d.compose {
		names = append(names, c.file)
	}
	for _, f := range d.env {
		names = append(names, f.name)
	}
	for _, f := range d.registration {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}
