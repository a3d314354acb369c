package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"matrixrtc-auth/image/archive"
)

// TestRun writes the image for this machine's processor. It checks the program
// in the image.
func TestRun(t *testing.T) {
	folder := t.TempDir()
	var said strings.Builder
	if err := run(t.Context(), []string{"-out", folder, "-arch", "native", "-version", "1.2.3"}, &said, io.Discard); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "matrixrtc-auth-1.2.3-"+archive.Native()+".tar")
	if !strings.Contains(said.String(), path) || !strings.Contains(said.String(), "docker load") {
		t.Errorf("the command printed %q, want the file's name and how to load it", said.String())
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v, want one file", files, err)
	}
	if f := content(t, path); !bytes.HasPrefix(f, []byte("\x7fELF")) || !bytes.Contains(f, []byte("1.2.3")) {
		t.Errorf("the program of %d bytes is not a program for Linux that contains its version", len(f))
	}
}

// content returns the program in an image file.
func content(t *testing.T, path string) []byte {
	t.Helper()
	img, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := mutate.Extract(img)
	defer files.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s: got no program (%v), want one", path, err)
		}
		if h.Name != "matrixrtc-auth" {
			continue
		}
		program, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"processor":  {[]string{"-arch", "amd64,mips"}, `no image for the processor "mips"; there is one for amd64, arm64, armv7`},
		"no source":  {[]string{"-source", t.TempDir()}, "is not the folder of the program's source"},
		"version":    {[]string{"-version", "1.2 3"}, `"1.2 3" cannot be the version`},
		"no program": {[]string{"-source", withVersion(t), "-out", t.TempDir(), "-arch", "arm64"}, "compiling for arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), test.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: got %v, want %q", test.args, err, test.want)
			}
		})
	}
}

// withVersion returns a folder that has the file VERSION, but no source of a
// program.
func withVersion(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "VERSION"), []byte("1.2.3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
