// Command publish pushes the images of a release to a registry, as one image
// for all platforms. It reads the files that the command release wrote. It
// prints only the digest of that image on standard output. It compiles nothing,
// so the pushed images are those that were tested.
//
// It uses the credentials that `docker login` has stored.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"matrixrtc-auth/image/archive"
	"matrixrtc-auth/image/internal/entry"
)

func main() { entry.Main("publish", run) }

// run pushes the image and prints its digest.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("publish", flag.ContinueOnError)
	flags.SetOutput(stderr)
	source := flags.String("source", "..", "the folder of the program's source")
	folder := flags.String("from", "../build/release", "the folder that the release is in")
	to := flags.String("to", "", "the name of the image without a tag, like ghcr.io/example/matrixrtc-auth")
	if err := flags.Parse(args); err != nil {
		return err
	}
	repository, err := name.NewRepository(*to, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("-to is not the name of an image (%w); write one like ghcr.io/example/matrixrtc-auth", err)
	}
	b, err := archive.New(ctx, *source, "")
	if err != nil {
		return err
	}
	index, err := collect(b, *folder)
	if err != nil {
		return err
	}
	digest, err := push(ctx, index, repository, tags(b.Version), stderr)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, digest)
	return err
}

// tags returns the tags of a version: the version itself and "latest". A
// pre-release like 1.2.3-rc.1 does not get the tag "latest".
func tags(version string) []string {
	if strings.Contains(version, "-") {
		return []string{version}
	}
	return []string{version, "latest"}
}

// collect reads the image files in folder. It joins them into one image for all
// platforms.
func collect(b *archive.Build, folder string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for _, p := range archive.Platforms {
		img, err := tarball.ImageFromPath(filepath.Join(folder, b.FileName(p)), nil)
		if err != nil {
			return nil, fmt.Errorf("the image for %s cannot be read: %w (make release writes it)", p.Name, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p.Platform}})
	}
	return index, nil
}

// push uploads the image under each tag. It returns the image's digest.
func push(ctx context.Context, index v1.ImageIndex, to name.Repository, tags []string, log io.Writer) (v1.Hash, error) {
	for _, tag := range tags {
		fmt.Fprintf(log, "pushing %s\n", to.Tag(tag))
		err := remote.WriteIndex(to.Tag(tag), index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return v1.Hash{}, err
		}
	}
	return index.Digest()
}
