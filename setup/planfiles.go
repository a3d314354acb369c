package setup

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/internal/smallfile"
)

// certificate reads the certificate and the key of TURN over TLS, and checks
// that LiveKit can use them for the host name of --turn-tls.
//
// An earlier run may have copied these two files into the folder, perhaps on
// another machine. If the paths come from that run, and setup cannot use the files
// at these paths, it keeps the copies.
func (b *planner) certificate() {
	if !b.recalled["turn-cert"] || !b.recalled["turn-key"] || len(b.memory.certificate) == 0 || len(b.memory.privateKey) == 0 {
		b.readCertificate()
		return
	}
	fresh := planner{options: b.options, plan: plan{TURNTLS: b.TURNTLS}}
	if fresh.readCertificate(); len(fresh.faults) == 0 {
		b.Certificate, b.privateKey = fresh.Certificate, fresh.privateKey
		return
	}
	b.Certificate, b.privateKey = b.memory.certificate, b.memory.privateKey
	b.note("%s and %s stay as they are (%v)", certFile, keyFile, fresh.faults[0])
}

// readCertificate reads and checks the files of --turn-cert and --turn-key.
func (b *planner) readCertificate() {
	var certErr, keyErr error
	b.Certificate, certErr = smallfile.Read(b.beside("turn-cert", b.turnCert))
	b.privateKey, keyErr = smallfile.Read(b.beside("turn-key", b.turnKey))
	if certErr != nil {
		b.fault("turn-cert", "%q cannot be read (%s); write the path of the file with the certificate", b.turnCert, smallfile.Cause(certErr))
	}
	if keyErr != nil {
		b.fault("turn-key", "%q cannot be read (%s); write the path of the file with the private key", b.turnKey, smallfile.Cause(keyErr))
	}
	if certErr != nil || keyErr != nil {
		return
	}
	pair, err := tls.X509KeyPair(b.Certificate, b.privateKey)
	if err != nil {
		b.fault("turn-cert", "this file and --turn-key are not a certificate and its key in PEM form (%v); write the certificate, like fullchain.pem, and its own key, like privkey.pem", err)
		return
	}
	if err := pair.Leaf.VerifyHostname(b.TURNTLS); b.TURNTLS != "" && err != nil {
		b.fault("turn-cert", "is a certificate for another name than --turn-tls (%v); write one for %s", err, b.TURNTLS)
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		b.fault("turn-cert", "is a certificate that expired on %s; renew it", end.UTC().Format(time.DateOnly))
	}
}

// beside returns path, the value of the option flag. If path is relative and comes
// from an earlier run, beside puts the path of the deployment's folder before it.
func (b *planner) beside(flag, path string) string {
	if !b.recalled[flag] || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.dir, path)
}

// folder checks --dir, --image and --source.
func (b *planner) folder() {
	if b.dir == "" && !b.asking {
		b.fault("dir", "is missing: write the folder for the deployment's files")
	}
	b.Dir = b.dir
	switch {
	case b.image != "" && b.source != "":
		b.fault("source", "and --image exclude each other: leave out --source to use an image that exists, or --image to build one")
	case b.image != "":
		b.Image = value(b, "image", b.image, "", parseImage)
	case b.source != "" && b.dir != "":
		b.build()
	}
}

// reference matches image names. It is strict, so that an image name cannot
// add anything else to compose.yaml.
var reference = pattern.New(`^[a-z0-9][a-z0-9._:/-]*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

func parseImage(text string) (string, error) {
	const example = "write one like registry.example.org/matrixrtc-auth:1.2.3"
	switch {
	case strings.Contains(text, "://"):
		return "", fmt.Errorf("is an address of the web (URL), not the name of an image; %s", example)
	case strings.HasSuffix(text, ".tar"):
		return "", fmt.Errorf("is a file, not the name of an image; load it with `docker load` and leave --image out, or %s", example)
	case len(text) <= 512 && reference().MatchString(text):
		return text, nil
	case reference().MatchString(strings.ToLower(text)):
		return "", fmt.Errorf("has capital letters, which are not allowed in the name of an image; %s", example)
	}
	return "", fmt.Errorf("is not the name of an image; %s", example)
}

// build finds the relative path from the folder to the source. If compose.yaml
// had an absolute path, it would be wrong after a person moved the folder and
// the source to another machine.
func (b *planner) build() {
	if b.recalled["source"] {
		b.Build = b.source
		if !buildPath().MatchString(b.Build) {
			b.fault("source", "%q has characters beyond letters, digits and '._-/': write a name without them", b.Build)
		} else if _, err := os.Stat(filepath.Join(b.dir, b.source, "Dockerfile")); err != nil {
			b.note("the source %s, as seen from %s, has no Dockerfile here (%s)", b.source, b.dir, smallfile.Cause(err))
		}
		return
	}
	if _, err := os.Stat(filepath.Join(b.source, "Dockerfile")); err != nil {
		b.fault("source", "%q has no Dockerfile (%s): write the folder of this program's source", b.source, smallfile.Cause(err))
		return
	}
	dir, dirErr := filepath.Abs(b.dir)
	source, sourceErr := filepath.Abs(b.source)
	way, err := filepath.Rel(dir, source)
	if err := errors.Join(dirErr, sourceErr, err); err != nil {
		b.fault("source", "there is no relative path from --dir to the source: put both on the same drive")
		return
	}
	b.Build = filepath.ToSlash(way)
	if !buildPath().MatchString(b.Build) {
		b.fault("source", "its path from --dir, %q, has characters beyond letters, digits and '._-/': rename the folders in it", b.Build)
	}
	if !filepath.IsLocal(way) {
		b.note("the source is outside of %s: on the machine to which you upload that folder, the source must be at %s beside the folder", b.dir, b.Build)
	}
}

var buildPath = pattern.New(`^[A-Za-z0-9._/-]+$`)
