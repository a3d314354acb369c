// Command release writes all files of a release of matrixrtc-auth: a static
// program for each platform, the images as files, an SBOM (CycloneDX) of the
// modules in each program, and the checksums of all files. It builds everything
// twice, the second time with an empty build cache, and fails if any byte
// differs.
//
// The file VERSION holds the version, and CHANGELOG.md must have a section of
// that version.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"matrixrtc-auth/image/archive"
	"matrixrtc-auth/image/internal/entry"
)

func main() { entry.Main("release", run) }

// options are the command's flags.
type options struct {
	source, folder, notes, arch, tag string
	once                             bool
}

func (o *options) parse(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.source, "source", "..", "the folder of the program's source")
	flags.StringVar(&o.folder, "out", "../build/release", "the folder that the release is written into; all files that were there are removed")
	flags.StringVar(&o.notes, "notes", "../build/release-notes.md", "the file that the version's section of CHANGELOG.md is written into")
	flags.StringVar(&o.arch, "arch", "", "release for these processors only, with commas between them (default: all processors, and also the programs for Windows and macOS)")
	flags.StringVar(&o.tag, "tag", "", "the tag that is released: v and the version, which must be the newest in CHANGELOG.md")
	flags.BoolVar(&o.once, "once", false, "make everything once, and compare nothing")
	return flags.Parse(args)
}

// platforms returns the platforms for which the release is compiled.
func (o *options) platforms() ([]archive.Platform, error) {
	if o.arch == "" {
		return slices.Concat(archive.Platforms, archive.Workstations), nil
	}
	return archive.ParsePlatforms(o.arch)
}

// run writes the files of the release and the release notes.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	if err := o.parse(args, stderr); err != nil {
		return err
	}
	platforms, err := o.platforms()
	if err != nil {
		return err
	}
	b, err := archive.New(ctx, o.source, "")
	if err != nil {
		return err
	}
	notes, err := releaseNotes(o.source, b.Version, o.tag)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "matrixrtc-auth-release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	r := &release{Build: b, platforms: platforms, out: stdout}
	if r.lister, err = buildLister(ctx, o.source, temporary); err != nil {
		return err
	}
	if err := r.make(ctx, o.folder); err != nil {
		return err
	}
	if !o.once {
		if err := r.again(ctx, o.folder, temporary); err != nil {
			return err
		}
	}
	return os.WriteFile(o.notes, []byte(notes), 0o644)
}

// again builds the release a second time, with an empty build cache. It returns
// an error if any byte of the two builds differs. folder holds the first build,
// and temporary is the path of a folder for the second build and the cache.
func (r *release) again(ctx context.Context, folder, temporary string) error {
	fmt.Fprintln(r.out, "== building a second time, with an empty build cache")
	second := filepath.Join(temporary, "second")
	r.environment = []string{"GOCACHE=" + filepath.Join(temporary, "cache")}
	if err := r.make(ctx, second); err != nil {
		return err
	}
	n, err := compare(folder, second)
	if err != nil {
		return errors.Join(errors.New("the two builds of the release differ"), err)
	}
	fmt.Fprintf(r.out, "%d files are the same in both builds, byte by byte; the first build is in %s\n", n, folder)
	return nil
}
