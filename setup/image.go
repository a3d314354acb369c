package setup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"matrixrtc-auth/internal/smallfile"
)

// processors are the kinds of processors for which setup can make an image.
var processors = []string{"amd64", "arm64", "armv7"}

// otherProcessors translates the names that `uname -m`, Docker and Synology use
// into the names in processors.
var otherProcessors = map[string]string{
	"x86_64": "amd64", "aarch64": "arm64", "armv8": "arm64",
	"arm/v7": "armv7", "armv7l": "armv7", "armhf": "armv7",
}

// noImage is the value of --image-arch with which setup makes no image, and
// does not ask for the processor.
const noImage = "none"

// parseProcessor returns the name in processors that stands for the same processor
// as text: for "aarch64", it returns "arm64". If text is "none" (noImage),
// parseProcessor returns "".
func parseProcessor(text string) (string, error) {
	name := strings.ToLower(text)
	if other, ok := otherProcessors[name]; ok {
		name = other
	}
	switch {
	case name == noImage:
		return "", nil
	case slices.Contains(processors, name):
		return name, nil
	}
	return "", fmt.Errorf("there is no image for the processor %.80q; write amd64, arm64 or armv7 (uname -m says x86_64, aarch64 or armv7l on that machine)", text)
}

// archive checks that this machine can make the image, if the operator wants
// one.
func (b *planner) archive() {
	if b.imageArch == "" {
		return
	}
	b.ImageArch = value(b, "image-arch", b.imageArch, "", parseProcessor)
	if b.ImageArch == "" {
		return
	}
	if b.image != "" || b.source != "" {
		b.fault("image-arch", "makes an image to load, so it excludes --image and --source: leave it or these out")
		return
	}
	var found bool
	b.program, found = findSource()
	switch err := missing(found); {
	case err == nil:
	case b.recalled["image-arch"]:
		b.note("no new image is made: %v", err)
		b.ImageArch = ""
	default:
		b.fault("image-arch", "%v; or leave --image-arch out, and bring the image to the machine as next-steps.md says", err)
	}
}

// imageName returns the name of the file with the image for a processor.
func (p plan) imageName(arch string) string {
	return strings.ReplaceAll(p.templateImage, ":", "-") + "-" + arch + ".tar"
}

// image is the image file that setup made. Its outcome says what happens to the
// image file in the deployment's folder.
type image struct {
	dir  *folder
	name string // the file's name in the folder
	made string // the path of the new file, in a temporary folder; "" if setup made none
	outcome
	size int64 // the new file's size in bytes
}

// newImage makes the image that the plan asks for, in a temporary folder. It
// decides whether the new file will replace the image file in the deployment's
// folder, but does not replace that file yet.
func newImage(ctx context.Context, p plan, dir *folder, log io.Writer) (i *image, err error) {
	if p.ImageArch == "" {
		return &image{outcome: unchanged}, nil
	}
	i = &image{dir: dir, name: p.imageName(p.ImageArch)}
	if err := p.program.is(p.templateImage); err != nil {
		return i, err
	}
	if err := dir.replaceable(i.name); err != nil {
		return i, err
	}
	temporary, err := os.MkdirTemp("", "matrixrtc-auth-setup")
	if err != nil {
		return i, err
	}
	i.made = filepath.Join(temporary, i.name)
	fmt.Fprintf(log, "note: making %s; this takes a while the first time\n", i.name)
	if err := p.program.makeImage(ctx, p.ImageArch, temporary); err != nil {
		return i, err
	}
	return i, i.decide()
}

// source.is returns an error if the source and image have different versions.
// image is an image's name in compose.yaml.
func (s source) is(image string) error {
	version, err := s.version()
	if want := strings.TrimPrefix(image, "matrixrtc-auth:"); err == nil && version != want {
		err = fmt.Errorf("the source has version %s, and this program %s: run \"go run . setup\" in the folder of the source", version, want)
	}
	if err != nil {
		return fmt.Errorf("--image-arch: the source in %s: %w", s.dir, err)
	}
	return nil
}

// decide compares the new file with the one in the deployment's folder, and
// sets the outcome.
func (i *image) decide() error {
	sum, size, err := sumOfFile(os.Open(i.made))
	if err != nil {
		return err
	}
	i.size = size
	old, _, err := sumOfFile(i.dir.root.Open(i.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		i.outcome = created
	case err != nil:
		return fmt.Errorf("%s cannot be read: %s", i.name, smallfile.Cause(err))
	case old == sum:
		i.outcome = unchanged
	default:
		i.outcome = updated
	}
	return nil
}

// sumOfFile returns the checksum and the size of the opened file f, and closes
// f. If err, the error of opening, is not nil, sumOfFile returns err.
func sumOfFile(f io.ReadCloser, err error) (sum [sha256.Size]byte, size int64, _ error) {
	if err != nil {
		return sum, 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), size, err
}

// place copies the new file into the deployment's folder, atomically. If an
// earlier copy was interrupted, place first removes the part that was copied.
func (i *image) place() error {
	if i.outcome == unchanged {
		return nil
	}
	halves, err := i.dir.halves([]string{i.name})
	for _, half := range halves {
		err = errors.Join(err, i.dir.remove(half))
	}
	if err != nil {
		return err
	}
	made, err := os.Open(i.made)
	if err != nil {
		return err
	}
	defer made.Close()
	return i.dir.copyFrom(made, i.name, 0o644)
}

// forget removes the temporary folder with the new file.
func (i *image) forget() {
	if i.made != "" {
		_ = os.RemoveAll(filepath.Dir(i.made))
	}
}

// report prints what happened to the file in the deployment's folder.
func (i *image) report(w io.Writer) {
	if i.made != "" {
		fmt.Fprintf(w, "%-26s %s (%.1f MB)\n", i.name, step{outcome: i.outcome}.word(), float64(i.size)/1e6)
	}
}
