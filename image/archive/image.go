package archive

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The program runs as this user and group in the image.
const (
	userID = 65532
	user   = "65532:65532"
)

// config returns the image's configuration, which says how a container engine
// runs the program. The Dockerfile's image has the same configuration.
func config() v1.Config {
	return v1.Config{
		User:         user,
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Entrypoint:   []string{"/matrixrtc-auth"},
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/matrixrtc-auth", "healthcheck"},
			Interval: 30 * time.Second, Timeout: 5 * time.Second, StartPeriod: 5 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "matrixrtc-auth",
			"org.opencontainers.image.description": "A MatrixRTC authorization service: lets Matrix users join calls on a LiveKit SFU",
			"org.opencontainers.image.licenses":    "Apache-2.0",
		},
	}
}

// image returns the image of a compiled program. The image has two layers. One
// layer contains the files that are the same in all versions. The other layer
// contains the program.
func (b *Build) image(p Platform, program []byte) (v1.Image, error) {
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, Config: config(),
		Created: v1.Time{Time: b.created}, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	for _, l := range []struct {
		what  string
		files []file
	}{
		{"certificates of public authorities, and a folder for delegated leaves", base()},
		{"matrixrtc-auth " + b.Version, programs(program)},
	} {
		layer, err := pack(l.files)
		if err != nil {
			return nil, err
		}
		img, err = mutate.Append(img, mutate.Addendum{
			Layer: layer, History: v1.History{Created: v1.Time{Time: b.created}, CreatedBy: l.what},
		})
		if err != nil {
			return nil, err
		}
	}
	return img, nil
}

// file is an entry of a layer, with its header and its content.
type file struct {
	tar.Header
	content []byte
}

// base returns all files of the image, without the program.
func base() []file {
	return []file{
		{Header: directory("etc/")}, {Header: directory("etc/ssl/")}, {Header: directory("etc/ssl/certs/")},
		{tar.Header{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644}, authorities()},
		// The program stores delegated leaves in this folder. If a new named volume
		// is mounted here, the container engine gives the volume the same owner.
		{Header: owned(directory("data/"))},
	}
}

// programs returns the program, and a link to it with the name lk-jwt-service.
// Compose files and playbooks for lk-jwt-service start the program under that
// name.
func programs(program []byte) []file {
	return []file{
		{tar.Header{Name: "matrixrtc-auth", Mode: 0o755}, program},
		{Header: tar.Header{Name: "lk-jwt-service", Typeflag: tar.TypeSymlink, Linkname: "matrixrtc-auth", Mode: 0o777}},
	}
}

func directory(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}
}

func owned(h tar.Header) tar.Header {
	h.Uid, h.Gid = userID, userID
	return h
}

// authorities returns Mozilla's root certificates as PEM. They come from a Go
// module that contains Mozilla's list, so they are the same on every machine.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		// Encode cannot fail, because the buffer takes everything and the block has
		// no headers.
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return b.Bytes()
}

// pack makes a layer of files. The entries of the layer have no time, so that
// the same files always give the same bytes.
func pack(files []file) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := f.Header
		h.Size, h.Format = int64(len(f.content)), tar.FormatUSTAR
		h.ModTime = time.Unix(0, 0)
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}
