package archive

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TestDockerfile checks that `make image` configures the image as the
// Dockerfile does.
func TestDockerfile(t *testing.T) {
	want := v1.Config{Labels: map[string]string{}, ExposedPorts: map[string]struct{}{}}
	for _, command := range lastStage(t).Commands {
		switch c := command.(type) {
		case *instructions.UserCommand:
			want.User = c.User
		case *instructions.EntrypointCommand:
			want.Entrypoint = c.CmdLine
		case *instructions.LabelCommand:
			for _, label := range c.Labels {
				want.Labels[label.Key] = strings.Trim(label.Value, `"`)
			}
		case *instructions.ExposeCommand:
			for _, port := range c.Ports {
				want.ExposedPorts[port+"/tcp"] = struct{}{}
			}
		case *instructions.HealthCheckCommand:
			want.Healthcheck = &v1.HealthConfig{
				Test: c.Health.Test, Interval: c.Health.Interval, Timeout: c.Health.Timeout, StartPeriod: c.Health.StartPeriod, Retries: c.Health.Retries,
			}
		case *instructions.CopyCommand: // TestLayers checks the copied files
		default:
			t.Errorf("the Dockerfile: got the instruction %s, want one that this test knows", c.Name())
		}
	}
	if got := config(); !reflect.DeepEqual(got, want) {
		t.Errorf("got the configuration\n%+v, %+v\nwant that of the Dockerfile\n%+v, %+v", got, got.Healthcheck, want, want.Healthcheck)
	}
}

func lastStage(t *testing.T) instructions.Stage {
	t.Helper()
	text, err := os.Open("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	parsed, err := parser.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages[len(stages)-1]
}

// TestLayers reads an image file as a container engine does. It checks the
// files in the image.
func TestLayers(t *testing.T) {
	program := []byte("the program")
	for _, p := range Platforms {
		t.Run(p.Name, func(t *testing.T) {
			img := readBack(t, p, program)
			about, err := img.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if about.OS != p.OS || about.Architecture != p.Architecture || about.Variant != p.Variant || about.RootFS.Type != "layers" || !about.Created.Equal(created) {
				t.Errorf("got %s/%s/%s, %q, of %v, want %s of %v", about.OS, about.Architecture, about.Variant, about.RootFS.Type, about.Created, p.Name, created)
			}
			got := entries(t, img)
			if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{
				"data/", "etc/", "etc/ssl/", "etc/ssl/certs/", "etc/ssl/certs/ca-certificates.crt", "lk-jwt-service", "matrixrtc-auth",
			}) {
				t.Errorf("got the files %q of the image, want the two programs, the certificates and their folders", names)
			}
			if f := got["matrixrtc-auth"]; f.Mode != 0o755 || f.Uid != 0 || !bytes.Equal(f.content, program) {
				t.Errorf("the program: got %+v, want root as owner, the mode 755, and the bytes that were packed", f.Header)
			}
			if f := got["lk-jwt-service"]; f.Typeflag != tar.TypeSymlink || f.Linkname != "matrixrtc-auth" {
				t.Errorf("the program's second name: got %+v, want a link to matrixrtc-auth", f.Header)
			}
			if f := got["data/"]; f.Uid != 65532 || f.Gid != 65532 || f.Mode != 0o755 {
				t.Errorf("/data: got %+v, want 65532 as owner and the mode 755", f.Header)
			}
		})
	}
}

// TestAuthorities checks that the image has the certificates of the public CAs,
// and that each of them can be parsed.
func TestAuthorities(t *testing.T) {
	n := 0
	for rest := authorities(); ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA {
			t.Errorf("certificate %d: got %v, want an authority's", n, err)
		}
	}
	if n < 100 {
		t.Errorf("got %d certificates, want those of all public authorities", n)
	}
}

// TestSameBytes checks that two images of the same program are equal byte by
// byte.
func TestSameBytes(t *testing.T) {
	digest := func() v1.Hash {
		hash, err := readBack(t, Platforms[0], []byte("the program")).Digest()
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	if one, two := digest(), digest(); one != two {
		t.Errorf("got %s and %s, want the same", one, two)
	}
}

func TestParsePlatforms(t *testing.T) {
	for list, want := range map[string][]string{
		"amd64,arm64,armv7": {"amd64", "arm64", "armv7"},
		"x86_64, AArch64":   {"amd64", "arm64"},
		"arm/v7,armhf":      {"armv7"},
	} {
		t.Run(list, func(t *testing.T) {
			chosen, err := ParsePlatforms(list)
			var got []string
			for _, p := range chosen {
				got = append(got, p.Name)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%q: got %q, %v, want %q", list, got, err, want)
			}
		})
	}
}

func TestSourceTime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	if got, err := sourceTime(t.Context(), t.TempDir()); err != nil || !got.Equal(time.Unix(1000000000, 0)) {
		t.Errorf("sourceTime: got %v, %v, want the second 1000000000", got, err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := sourceTime(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("got %v, want a fault that names the variable", err)
	}
}

var created = time.Unix(1000000000, 0)

// readBack makes an image of a program, writes the image to a file, and opens
// this file.
func readBack(t *testing.T, p Platform, program []byte) v1.Image {
	t.Helper()
	b := &Build{Version: "1.2.3", created: created}
	img, err := b.image(p, program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), b.FileName(p))
	if _, err := b.save(img, path); err != nil {
		t.Fatal(err)
	}
	img, err = tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// entries returns the files of all layers of an image, by their names.
func entries(t *testing.T, img v1.Image) map[string]file {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]file{}
	for _, l := range layers {
		content, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(content); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			found[h.Name] = file{*h, body}
		}
	}
	return found
}
