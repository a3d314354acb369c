package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"matrixrtc-auth/image/archive"
)

// written returns two folders. source holds only the file VERSION, and folder
// holds the images of that version.
func written(t *testing.T, version string) (source, folder string) {
	t.Helper()
	source, folder = t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "VERSION"), []byte(version+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := archive.New(t.Context(), source, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range archive.Platforms {
		if _, err := b.Pack(p, []byte("the program for "+p.Name), filepath.Join(folder, b.FileName(p))); err != nil {
			t.Fatal(err)
		}
	}
	return source, folder
}

// TestPublish pushes the images to a registry. Then it pulls the image for each
// processor.
func TestPublish(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	to := strings.TrimPrefix(server.URL, "http://") + "/example/matrixrtc-auth"
	source, folder := written(t, "1.2.3")
	var out strings.Builder
	if err := run(t.Context(), []string{"-source", source, "-from", folder, "-to", to}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{":1.2.3", ":latest", "@" + strings.TrimSpace(out.String())} {
		for _, p := range archive.Platforms {
			pulled(t, to+tag, p.Platform)
		}
	}
}

// pulled checks that the registry has the image for a processor.
func pulled(t *testing.T, reference string, p v1.Platform) {
	t.Helper()
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref, remote.WithPlatform(p))
	if err != nil {
		t.Fatalf("%s for %s: got %v, want no error", reference, p.String(), err)
	}
	about, err := img.ConfigFile()
	if err != nil || about.Architecture != p.Architecture || about.Variant != p.Variant || about.OS != p.OS {
		t.Errorf("%s for %s: got an image for %s/%s/%s (%v), want it for that platform", reference, p.String(), about.OS, about.Architecture, about.Variant, err)
	}
}

func TestTags(t *testing.T) {
	for version, want := range map[string][]string{"1.2.3": {"1.2.3", "latest"}, "1.2.3-rc.1": {"1.2.3-rc.1"}} {
		t.Run(version, func(t *testing.T) {
			if got := tags(version); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", version, got, want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	source, folder := written(t, "1.2.3")
	if err := os.Remove(filepath.Join(folder, "matrixrtc-auth-1.2.3-armv7.tar")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no name":      {nil, "-to is not the name of an image"},
		"no image":     {[]string{"-source", source, "-from", folder, "-to", "127.0.0.1:1/a/b"}, "the image for armv7"},
		"no source":    {[]string{"-source", t.TempDir(), "-to", "127.0.0.1:1/a/b"}, "is not the folder of the program's source"},
		"no such flag": {[]string{"-form", "a"}, "-form"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), test.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: got %v, want %q", test.args, err, test.want)
			}
		})
	}
}
