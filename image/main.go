// Command image writes the container images of matrixrtc-auth to files. `docker
// load` and "Add from file" of Synology's Container Manager can load them. It
// needs Go, but no container engine. It compiles the program for each processor
// and packs the program as the Dockerfile does.
//
// The same source and the same version of Go always give the same bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"matrixrtc-auth/image/archive"
	"matrixrtc-auth/image/internal/entry"
)

func main() { entry.Main("image", run) }

// run writes one image file for each requested platform.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(stderr)
	source := flags.String("source", "..", "the folder of the program's source")
	folder := flags.String("out", "../build", "the folder that the files are written into")
	arch := flags.String("arch", strings.Join(archive.Names(), ","), "the processors, with commas between them")
	version := flags.String("version", "", "the version that the image is of (default: the number in VERSION)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	platforms, err := archive.ParsePlatforms(*arch)
	if err != nil {
		return err
	}
	b, err := archive.New(ctx, *source, *version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		return err
	}
	for _, p := range platforms {
		path := filepath.Join(*folder, b.FileName(p))
		fmt.Fprintf(stdout, "== %s: compiling and packing\n", path)
		size, err := b.Write(ctx, p, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s (%.1f MB), image %s\n", path, float64(size)/1e6, b.Tag())
	}
	fmt.Fprintf(stdout, "Load a file with: docker load --input FILE (Container Manager: Image, Import, Add from file)\n")
	return nil
}
